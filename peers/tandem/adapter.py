"""Tandem itself, by the same six calls as everybody else: one instance, as `tandem serve` runs it."""

import sys
from pathlib import Path

import msgspec

from tandem_lab.peers.local import Command, LocalPeer
from tandem_lab.peers.protocol import About, Json, Request

SOURCES = Path(__file__).parents[2] / "src" / "tandem"
HERE = Path(__file__).parent
TANDEM = [sys.executable, "-m", "tandem"]


class Tandem(LocalPeer):
    """Users go into normalized rows with an event and a pending row, and from there into documents."""

    about = About(
        name="tandem",
        what="Commands gathered into batches; a pending row until MongoDB has the user.",
        accepts_keys=True,
        sources=(SOURCES,),
    )
    prepare = (Command([*TANDEM, "migrate"], HERE),)
    programs = {"instance": Command([*TANDEM, "serve"], HERE, {"APP_ID": "peer", "LOG_LEVEL": "warning"})}
    user_of = "SELECT rows::text FROM lab_user WHERE id IN (SELECT id FROM prm_user WHERE email = any($1))"

    def command(self, user: Json, key: str) -> Request:
        """A POST with an idempotency key."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        return Request("POST", "/api/v1/user-command?seed=peers", msgspec.json.encode(user), headers)


peer = Tandem()
