"""One instance: its parts wired together, and what it answers over HTTP."""

from tandem.app.adapters import Adapters
from tandem.app.bootstrap import Adapt, Instance, run_instance, wire
from tandem.app.serve import serve_instance

__all__ = ["Adapt", "Adapters", "Instance", "run_instance", "serve_instance", "wire"]
