"""Serve the plain way: one process, uvicorn with uvloop and httptools.

    POSTGRES_URL=... MONGODB_URL=... PORT=8090 python -m tandem_lab.baselines.plain_way.serve

The users are in the schema and the collection `plain_way`, which each start makes afresh; with KEEP_USERS=1
they are those that are there, and the schema has to be there.
"""

import uvicorn

from tandem_lab.baselines.places import settings

if __name__ == "__main__":
    uvicorn.run(
        "tandem_lab.baselines.plain_way.application:app",
        host=settings().host,
        port=settings().port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
