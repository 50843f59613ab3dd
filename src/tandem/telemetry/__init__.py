"""What tells people how an instance is: plain counters, how late the event loop is, and log lines.

Every other package may use it. It knows no library of metrics or traces: `app` shows what is gathered here.
"""

from tandem.telemetry.histogram import Histogram
from tandem.telemetry.loop_delay import measure_loop_delay

__all__ = ["Histogram", "measure_loop_delay"]
