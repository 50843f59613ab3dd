"""A threshold that a report was held against, and what came of it."""

import msgspec


class ThresholdOutcome(msgspec.Struct, frozen=True):
    """For people: what was demanded, what was measured (with its unit), and whether that is enough."""

    demanded: str
    measured: str
    met: bool
