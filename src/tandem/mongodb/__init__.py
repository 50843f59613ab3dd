"""MongoDB as every query side uses it: documents written and read, indexes, errors translated once."""
