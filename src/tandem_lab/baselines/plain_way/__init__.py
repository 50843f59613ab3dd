"""The plain way: the same service, as a good engineer would write it in an afternoon. A baseline."""
