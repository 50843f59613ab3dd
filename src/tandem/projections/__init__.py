"""Which collections the documents of each kind are in, and how a new one is built beside the live one."""
