"""Keeps users of Tandem in a SQLite file, by the feed of events.

    python subscriber.py --url http://127.0.0.1:8080 users.db

It may be killed at any moment: what came of events and how far it has read are one transaction.
"""

import argparse
import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

TABLES = """
CREATE TABLE IF NOT EXISTS state (
    kind TEXT, id INTEGER, seed TEXT, version INTEGER, status TEXT, data TEXT, PRIMARY KEY (kind, id)
);
CREATE TABLE IF NOT EXISTS place (cursor TEXT, history INTEGER);
INSERT INTO place SELECT '', 1 WHERE NOT EXISTS (SELECT * FROM place);
"""
GONE = {"DELETED", "ERASED"}


def merged(state: Any, patch: Any) -> Any:
    """The state after a JSON Merge Patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(state) if isinstance(state, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def apply(store: sqlite3.Connection, event: dict[str, Any]) -> None:
    """Bring the store to the event's version. One that it has had already changes nothing."""
    if event["unreadable"]:
        # Its data would be missing for good: wait for an instance that can read it.
        raise Refused(f"{event['kind']} {event['id']}, version {event['version']}: {event['unreadable']}")
    key = (event["kind"], event["id"])
    row = store.execute("SELECT version, data FROM state WHERE kind = ? AND id = ?", key).fetchone()
    version, data = row or (0, "null")
    if event["version"] <= version:
        return
    state = merged(json.loads(data), event["data"] or {})
    if event["type"] in GONE:
        state = None
    store.execute(
        "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?, ?, ?)",
        (*key, event["seed"], event["version"], event["type"], json.dumps(state)),
    )


class Refused(Exception):
    """The feed cannot go on; says why."""


def answer(url: str, cursor: str) -> tuple[list[dict[str, Any]], str] | None:
    """The events after the cursor, which are waited for, and the cursor after them; None: try again."""
    wanted = {"after": cursor, "limit": 500, "kind": "user", "type": "CREATED,UPDATED,DELETED,ERASED"}
    headers = {"Prefer": "wait=10"}
    if token := os.environ.get("TANDEM_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    server = urlsplit(url)
    connect = HTTPSConnection if server.scheme == "https" else HTTPConnection
    connection = connect(server.netloc, timeout=30)
    try:
        connection.request(
            "GET", f"{server.path.rstrip('/')}/api/v1/events?{urlencode(wanted)}", headers=headers
        )
        response = connection.getresponse()
        body = response.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    if response.status in (429, 502, 503, 504):
        return None
    if response.status != 200:
        raise Refused(body.decode())
    return [json.loads(line) for line in body.splitlines()], response.headers["Next-Cursor"]


def pages(url: str, cursor: str) -> Iterator[tuple[list[dict[str, Any]], str]]:
    """Events as they come, for ever, each time with the cursor after them."""
    while True:
        if (page := answer(url, cursor)) is None:
            time.sleep(1)
            continue
        cursor = page[1]
        yield page


def follow(store: sqlite3.Connection, url: str) -> None:
    """Bring the store up to date for ever."""
    cursor, history = store.execute("SELECT cursor, history FROM place").fetchone()
    for events, after in pages(url, cursor):
        with store:  # one transaction: what came of the events, and how far they were read
            for event in events:
                if event["history"] != history:
                    history = event["history"]
                    sys.stderr.write(f"History {history} begins: what came last before it may be lost.\n")
                apply(store, event)
            store.execute("UPDATE place SET cursor = ?, history = ?", (after, history))


def main() -> None:
    """Follow the feed until it is stopped."""
    parser = argparse.ArgumentParser(description="Keep users in a SQLite file, by Tandem's feed of events.")
    parser.add_argument("file")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    options = parser.parse_args()
    store = sqlite3.connect(options.file)
    store.executescript(TABLES)
    try:
        follow(store, options.url)
    except Refused as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
