"""What the three questions about health answer while a database is away."""

import pytest

from ledger import Load
from proxy import Proxy, port_of, through
from waiting import until


async def health(client) -> tuple[int, int, int]:
    """The statuses of live, ready and flow."""
    live, ready, flow = [await client.get(f"/health/{name}") for name in ("live", "ready", "flow")]
    return live.status_code, ready.status_code, flow.status_code


async def until_health(client, expected: tuple[int, int, int]) -> None:
    async def is_so() -> bool:
        found = await health(client)
        assert found[0] == 200
        return found == expected

    await until(is_so, f"health {expected}")


async def test_without_postgresql_not_ready_and_without_mongodb_ready_but_not_flowing(system, serve):
    urls = system.urls
    async with (
        Proxy(port_of(urls.postgres_service_url)) as postgres,
        Proxy(port_of(urls.mongodb_service_url)) as mongodb,
    ):
        serve.system = through(system, postgres=postgres, mongodb=mongodb)
        served = await serve(DATABASE_TIMEOUT_SECONDS="1", MAX_PENDING_AGE_SECONDS="1")
        client = served.client
        assert await health(client) == (200, 200, 200)

        mongodb.fall_silent()
        async with Load([client], 1) as load:
            pass
        assert load.troubles == []
        await until_health(client, (200, 200, 503))
        mongodb.forward_again()
        await until_health(client, (200, 200, 200))

        postgres.fall_silent()
        await until_health(client, (200, 503, 503))
        postgres.forward_again()
        await until_health(client, (200, 200, 200))
        await system.until_synchronized(1)


@pytest.mark.slow
async def test_an_instance_whose_postgresql_fell_silent_says_so_before_its_lease_has_run_out(system, serve):
    """Others take its users then; a call to the database may take much longer than that."""
    async with Proxy(port_of(system.urls.postgres_service_url)) as postgres:
        serve.system = through(system, postgres=postgres)
        client = (await serve(DATABASE_TIMEOUT_SECONDS="60", LEASE_SECONDS="12")).client
        postgres.fall_silent()

        async def is_not_ready() -> bool:
            return (await client.get("/health/ready")).status_code == 503

        await until(is_not_ready, "not ready")
        assert await system.postgres.fetchval("select bool_and(lease_until > now()) from tandem_instance")
        postgres.forward_again()
        # What waits for an answer would do so for a minute.
        postgres.break_off()
        await until_ready(client)


async def until_ready(client) -> None:
    async def is_ready() -> bool:
        return (await client.get("/health/ready")).status_code == 200

    await until(is_ready, "ready")
