"""Runs: their statistics, the described query, and the live view."""
