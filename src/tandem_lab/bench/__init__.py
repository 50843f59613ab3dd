"""Measurements of a running stack: how fast, at what lag, at what cost, and how that compares.

`generator` puts on the load, from a process of its own; `probe` and `stages` read what the stack has used and
how far its users have come; `measure` puts the two around one run; `bench` is the plan of all runs.
"""
