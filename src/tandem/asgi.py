"""`tandem.asgi:app`: an instance under an ASGI server of your choice, with the settings of `tandem serve`.

    APP_ID=one POSTGRES_URL=... MONGODB_URL=... uvicorn tandem.asgi:app --port 8080

The server's lifespan starts and ends the instance. HOST only decides whether tokens are required, since other
machines may reach the instance: give the server the same address. One process is one instance, so there can
be only one worker. `tandem serve` is what is measured and recommended, since it bounds what a client may do
to a connection.
"""

import os
from contextlib import AbstractAsyncContextManager

from tandem.app.serve import open_application
from tandem.config import load_settings
from tandem.http.asgi import AsgiApplication, Message, Receive, Send
from tandem.http.limits import Answers
from tandem.observability.logs import set_up_logs


class Entry:
    """An instance that begins and ends with its server."""

    def __init__(self) -> None:
        self._answers: AsgiApplication | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or live as long as the server does."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close"})
        elif self._answers is None:
            msg = "The server has not begun a lifespan. Switch its support for lifespans on."
            raise RuntimeError(msg)
        else:
            await self._answers(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            settings = load_settings(os.environ)
            set_up_logs(settings.app_id, settings.log_level, settings.log_format)
            instance: AbstractAsyncContextManager[Answers] = open_application(settings)
            answers = await instance.__aenter__()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error) or repr(error)})
            return
        self._answers = AsgiApplication(answers)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._answers.stopping.set()
        await instance.__aexit__(None, None, None)
        await send({"type": "lifespan.shutdown.complete"})


app = Entry()
