"""A server in a process of its own: prints its port, and `closed` once `serve` has returned."""

import asyncio
import sys
from datetime import timedelta

import uvloop

from tandem.app.stop import StopRequest
from tandem.http import serving
from tandem.http.application import Application
from tandem.http.limits import Limits
from tandem.http.requests import json_response
from tandem.http.routes import Route

# Nothing but the end of the server ends half a head.
LIMITS = Limits(head_seconds=3_600)


async def main(drain_seconds: float, linger_seconds: float) -> None:
    """`GET /slow` is answered after `POST /release`, or never; `GET /quick` at once."""
    serving._LINGER_SECONDS = linger_seconds
    stop = StopRequest()
    stop.wait_for_it()
    may_answer = asyncio.Event()

    async def slow(_):
        print("working", flush=True)
        await may_answer.wait()
        return json_response("done")

    async def release(_):
        may_answer.set()
        return json_response("released")

    async def quick(_):
        return json_response("quick")

    app = Application(
        [
            Route("GET", "/slow", slow, "Slow"),
            Route("POST", "/release", release, "Release"),
            Route("GET", "/quick", quick, "Quick"),
        ]
    )
    await serving.serve(
        app,
        ("127.0.0.1", 0),
        stop=stop.wait,
        drain=timedelta(seconds=drain_seconds),
        limits=LIMITS,
        on_ready=lambda port: print(port, flush=True),
    )
    print("closed", flush=True)


uvloop.run(main(*map(float, sys.argv[1:])))
