"""Serve the plain way: one process, uvicorn with uvloop and httptools.

    POSTGRES_URL=... MONGODB_URL=... PORT=8090 python -m tandem_lab.baselines.plain_way.serve

The users lie in the schema and the collection `plain_way`, which each start makes afresh.
"""

import os
import sys

import uvicorn

from tandem.config import SettingsError, load_settings

if __name__ == "__main__":
    try:
        settings = load_settings(os.environ)
    except SettingsError as error:
        sys.exit(str(error))
    uvicorn.run(
        "tandem_lab.baselines.plain_way.application:app",
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
