"""One instance: everything wired together, its health and its metrics."""

from tandem.app.adapters import Adapters
from tandem.app.bootstrap import Adapt, Instance, run_instance, wire
from tandem.app.serve import serve_instance

__all__ = ["Adapt", "Adapters", "Instance", "run_instance", "serve_instance", "wire"]
