"""Baselines: programs that do the same job in other ways, on the same databases. See README.md beside this.

Each is a program (`python -m tandem_lab.baselines.floor`) that prints a line of JSON or serves HTTP.
"""
