"""The plain way: the same service as a good engineer writes it in an afternoon. A baseline."""
