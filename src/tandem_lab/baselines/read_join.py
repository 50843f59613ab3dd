"""The same read twice: a join over the normalized rows in PostgreSQL, and the document in MongoDB.

    POSTGRES_URL=... MONGODB_URL=... python -m tandem_lab.baselines.read_join

Reads the newest user of an e-mail address, one at a time and in batches of 50, and prints the results of all
rounds in one line of JSON. The CPU is that of this process, so it shows what the drivers cost: asyncpg leaves
a row as it is, PyMongo makes the whole document. The service's PostgreSQL has no index on e-mail addresses.
This program makes one in a copy of its own: schema and collection `read_join`, made afresh by each run.
"""

import argparse
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence, Sized
from functools import partial
from typing import Any

import asyncpg
import uvloop

from tandem.mongodb.client import Collection, open_client
from tandem.mongodb.generations import Collections
from tandem.postgres.database import Database
from tandem.user_command.repository import UserCommandRepository
from tandem.user_query.document import document_of
from tandem.user_query.repository import UserQueryRepository
from tandem_lab.baselines.floor import commands_of
from tandem_lab.baselines.places import DEADLINE, fresh_collection, fresh_schema, settings

NAME = "read_join"
FILL = 500
BATCH = 50
INDEX = "CREATE INDEX ON prm_user (email, id DESC); ANALYZE"
JOIN = """
    SELECT DISTINCT ON (u.email)
           u.*, l.*, c.name AS country, z.utc_offset, z.description, g.uuid, g.username,
           p.large, p.medium, p.thumbnail
    FROM prm_user u
    LEFT JOIN prm_user_location l ON l.user_id = u.id
    LEFT JOIN prm_country c ON c.id = l.country_id
    LEFT JOIN prm_timezone z ON z.id = l.timezone_id
    LEFT JOIN prm_user_login g ON g.user_id = u.id
    LEFT JOIN prm_user_picture p ON p.user_id = u.id
    WHERE u.email = ANY ($1::text[])
    ORDER BY u.email, u.id DESC
"""
# Planning this join takes longer than running it, so the plan is made once and kept, as the service does.
SESSION_SETTINGS = {"plan_cache_mode": "force_generic_plan", "jit": "off"}
# Reads the newest users of these addresses.
Read = Callable[[Sequence[str]], Awaitable[Sized]]


async def main() -> None:
    """Fill both databases, measure the four ways to read in turn, and print the results of each round."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--reads", type=int, default=5_000, help="of each way in each round")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    servers = settings()
    client = open_client(servers.mongodb_url, name=NAME, deadline=DEADLINE)
    users = await fresh_collection(client, NAME)
    schema_url = await fresh_schema(servers.postgres_url, NAME)
    emails = await fill(schema_url, users, arguments.users)
    connection = await asyncpg.connect(schema_url, server_settings=SESSION_SETTINGS)
    await connection.execute(INDEX)

    # The join uses the same statement for one address and for many; it is prepared once.
    ways: dict[str, Read] = {
        "postgresql_join": partial(connection.fetch, JOIN),
        "mongodb_document": partial(read_documents, UserQueryRepository(Collections(users)), users),
    }
    measured: dict[str, list[dict[str, float]]] = {}
    for _ in range(arguments.rounds):
        for name, read in ways.items():
            for size, label in ((1, "one_at_a_time"), (BATCH, f"batches_of_{BATCH}")):
                wanted = random.choices(emails, k=arguments.reads)
                measured.setdefault(f"{name}_{label}", []).append(await clocked(read, wanted, size))
    await connection.close()
    await client.close()
    print(json.dumps({"users": arguments.users, **measured}))


async def fill(schema_url: str, users: Collection, count: int) -> list[str]:
    """Write the same users to both databases with the service's statements. Returns their addresses."""
    database = await Database.connect(schema_url, name=NAME, deadline=DEADLINE)
    commands, queries = UserCommandRepository(database, NAME), UserQueryRepository(Collections(users))
    emails = []
    for first in range(0, count, FILL):
        batch = commands_of(NAME, first, min(FILL, count - first))
        stored = await commands.create(batch, 1)
        refused = await queries.write([document_of(user) for user in stored])
        assert not refused
        emails += [command.profile.email for command in batch]
    await database.close()
    return emails


async def read_documents(repository: UserQueryRepository, users: Collection, emails: Sequence[str]) -> Sized:
    """The documents: `find_one` for one address, the service's query for several."""
    if len(emails) > 1:
        return await repository.find_newest_by_emails(emails)
    found: dict[str, Any] | None = await users.find_one({"email": emails[0]}, sort=[("_id", -1)])
    return [] if found is None else [found]


async def clocked(read: Read, wanted: Sequence[str], size: int) -> dict[str, float]:
    """Read all `wanted` in batches of `size`, one after the other."""
    batches = [wanted[first : first + size] for first in range(0, len(wanted), size)]
    began, began_cpu = time.perf_counter(), time.process_time()
    found = [len(await read(batch)) for batch in batches]
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    assert found == [len(set(batch)) for batch in batches], "some user was not found"
    return {
        "reads_per_second": round(len(wanted) / seconds, 1),
        "cpu_us_per_read": round(cpu_seconds / len(wanted) * 1e6, 1),
    }


if __name__ == "__main__":
    uvloop.run(main())
