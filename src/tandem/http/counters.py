"""What a server has answered, as plain sums. `tandem.observability.metrics` shows them."""

from collections import Counter
from collections.abc import Callable
from http import HTTPStatus

import msgspec

from tandem.histogram import Histogram
from tandem.http.routes import Route

#: Stands for the route where there is none: an unknown path, or a method that the path does not have.
NO_ROUTE = "none"
#: Stands for the routes of all pages and their files together.
FILES = "files"


class RouteCounters(msgspec.Struct):
    """What was answered on one route."""

    method: str
    #: The route's template, or one of the two names above; never something that a client has sent.
    path: str
    #: Status to number of answers. Foreseen ones begin at 0, so that a rate sees the first answer.
    statuses: dict[int, int] = {}
    #: From the request's head to its whole answer; of a stream, to its beginning.
    seconds: Histogram = msgspec.field(default_factory=Histogram)

    def count(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.seconds.observe(seconds)


class HttpCounters:
    """What one server has answered since it began."""

    def __init__(self) -> None:
        self.unrouted = RouteCounters("other", NO_ROUTE)
        self.files = RouteCounters("GET", FILES)
        self.routes = [self.unrouted, self.files]
        #: Status to requests refused before they were read whole: too large, too slow, against HTTP.
        self.refused: Counter[int] = Counter()
        #: How many connections are open. A server that can count them replaces this.
        self.count_connections: Callable[[], int] = lambda: 0

    def of(self, route: Route) -> RouteCounters:
        """New counters for a route."""
        if not route.documented:
            return self.files
        foreseen = (*route.responses, *route.problems, HTTPStatus.INTERNAL_SERVER_ERROR.value)
        counters = RouteCounters(route.method, route.path, dict.fromkeys(foreseen, 0))
        self.routes.append(counters)
        return counters
