"""`tandem events tail`: print the feed of events of a running instance, and follow it."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import click
import msgspec

from tandem.cli.http import Answered, NoAnswer, address_options, answer_of, base_url
from tandem.feed.controller import NEXT_CURSOR
from tandem.feed.logs import FeedEvent

PAGE = 1000
# Less than a command waits for an answer.
WAIT_SECONDS = 10
SECONDS_BETWEEN_TRIES = 1.0


@click.command
@address_options
@click.option("--after", default="", help="A cursor, or `now`: from now on.  [default: the beginning]")
@click.option("--seed", default="", help="Only of this run.")
@click.option("--kind", default="", help="Only of these kinds, such as user, with commas.")
@click.option("--type", default="", help="Only of these types, such as CREATED, with commas.")
@click.option("--archived", default="", help="Events up to this archive are known: a number that a 410 says.")
@click.option("--cell", default="", help="Of this cell, where there are several: each has its own feed.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as it is answered, with its data.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl+C.")
def tail(
    url: str | None,
    data_dir: Path,
    after: str,
    *,
    as_json: bool,
    follow: bool,
    **wanted: str,
) -> None:
    """Print events of users and aggregates in the order of the feed, which skips nothing.

    A line has the moment, what it is of, version, type and run. What an event carries is printed with --json.
    Where the instance goes away, --follow waits for it and goes on after the last event.
    """
    query = {name: value for name, value in wanted.items() if value}
    address = f"{base_url(url, data_dir)}/api/v1/events"
    with suppress(KeyboardInterrupt):
        for body in _pages(address, after, query, follow=follow):
            if as_json:
                click.echo(body, nl=False)
            else:
                for line in body.splitlines():
                    click.echo(_in_words(msgspec.json.decode(line, type=FeedEvent)))


def _pages(address: str, after: str, query: dict[str, str], *, follow: bool) -> Iterator[bytes]:
    """Each answer with events, to the end; for ever if they are to be followed."""
    if follow and after == "now":
        # Where that is has to be known before the first event comes.
        now = urlencode({**query, "after": "now", "limit": 1})
        after = answer_of(f"{address}?{now}").headers[NEXT_CURSOR]
    while True:
        asked = f"{address}?{urlencode({**query, 'after': after, 'limit': PAGE})}"
        answer = _answer(asked) if follow else answer_of(asked)
        if answer is None:
            time.sleep(SECONDS_BETWEEN_TRIES)
            continue
        before, after = after, answer.headers[NEXT_CURSOR]
        if answer.body:
            yield answer.body
        elif after == before and not follow:
            return


def _answer(address: str) -> Answered | None:
    """The next events, which are waited for; None: there is no answer now."""
    try:
        return answer_of(address, headers={"Prefer": f"wait={WAIT_SECONDS}"})
    except NoAnswer as error:
        if not error.may_pass:
            raise
        click.echo(str(error), err=True)
        return None


def _in_words(event: FeedEvent) -> str:
    what = f"{event.kind} {event.id}"
    at = f"{event.created_at:%Y-%m-%dT%H:%M:%S.%fZ}"
    # A run may be called by any characters, those that terminals obey among them.
    seed = "".join(each if each.isprintable() else "?" for each in event.seed)
    trouble = f"  unreadable: {event.unreadable}" if event.unreadable else ""
    return f"{at}  {what}  v{event.version}  {event.type}  {seed}{trouble}"
