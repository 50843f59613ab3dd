"""One instance: everything wired together, its health and its metrics."""

from tandem.app.bootstrap import Instance, run_instance
from tandem.app.serve import serve_instance

__all__ = ["Instance", "run_instance", "serve_instance"]
