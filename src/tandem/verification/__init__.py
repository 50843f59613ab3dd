"""Whether both stores hold the same: compared row by row while everything goes on, and repaired."""
