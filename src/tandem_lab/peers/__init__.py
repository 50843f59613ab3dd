"""Other systems under the lab's load and its proof. `protocol` is what they have to offer."""
