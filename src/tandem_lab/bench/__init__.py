"""Measurements of a running stack: how fast, at what lag, at what cost, and how that compares.

`generator` is the load, a process of its own. `probe` and `stages` read what the stack has used and how far
its users have come. `measure` combines them for one run. `bench` and `scale` are the plans of all runs.
"""
