"""Runs the desk until it is told to end."""

import sys
from pathlib import Path

import uvloop

from tandem_lab.desk.application import serve_desk

if __name__ == "__main__":
    uvloop.run(serve_desk(Path(sys.argv[1]), int(sys.argv[2])))
