"""Numbers for people: three significant digits, and thousands in groups."""

from tandem_lab.histogram import Percentiles
from tandem_lab.statistics import Spread


def number(value: float) -> str:
    """1234.5 as 1,234 or 1,235; 56.78 as 56.8; 0.01234 as 0.0123."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 1:
        return f"{value:.2f}"
    return f"{value:#.3g}" if value else "0"


def milliseconds(found: Percentiles | None, percentile: str) -> str:
    """One percentile of latencies; empty where none were measured."""
    return number(getattr(found, percentile)) if found else ""


def spread(values: Spread) -> str:
    """The median, with the least and the most if there are several."""
    if values.repeats == 1:
        return number(values.median)
    return f"{number(values.median)} ({number(values.min)} to {number(values.max)})"


def rounds(count: int) -> str:
    """How often something was measured."""
    return "measured once" if count == 1 else f"the median of {count} rounds"
