"""The plain way to read by e-mail: one `find_one` for each request, on the same HTTP layer. A baseline.

POSTGRES_URL=... MONGODB_URL=... PORT=8091 python -m tandem_lab.baselines.plain_reads
"""

from datetime import timedelta
from typing import Any

import uvloop

from tandem.app.stop import StopRequest
from tandem.http.application import Application
from tandem.http.requests import NoArguments, Request, Response, json_response
from tandem.http.routes import Route
from tandem.http.serving import serve
from tandem.mongodb.client import open_client
from tandem.user_query.controller import EmailQuery
from tandem.user_query.database import users_of
from tandem.user_query.fields import UserDocument
from tandem_lab.baselines.places import settings


async def main() -> None:
    """Serve the one route until SIGTERM."""
    servers = settings()
    users = users_of(open_client(servers.mongodb_url, name="plain", deadline=timedelta(seconds=10)))

    async def find(request: Request[NoArguments, EmailQuery, Any]) -> Response:
        found = await users.find_one({"email": request.query.email}, sort=[("_id", -1)])
        return json_response(found, 200 if found else 404)

    route = Route(
        "GET", "/api/v1/user-query/email", find, "plain", query_type=EmailQuery, responses={200: UserDocument}
    )
    stop = StopRequest()
    stop.wait_for_it()
    address = (servers.host, servers.port)
    await serve(Application([route]), address, stop=stop.wait, drain=timedelta(seconds=1))


if __name__ == "__main__":
    uvloop.run(main())
