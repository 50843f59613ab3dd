"""How people and programs see how an instance is doing.

* `health`: can it take a command, and does what is committed arrive? For load balancers and alerts.
* `metrics`: counters, for Prometheus.
* `tracing`: spans of single requests, for OpenTelemetry. It is loaded only where `TRACES_URL` is set.
* `logs`: log lines, as JSON or as text.
* `loop_delay`: how late the event loop is.

The parts of an instance keep plain counters of their own. This room reads them, and they know nothing of it.
"""
