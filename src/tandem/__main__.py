"""`python -m tandem` is the command line."""

from tandem.cli import main

main(prog_name="tandem")
