"""Prometheus is answered while PostgreSQL is not there to be asked."""

from prometheus_client.parser import text_string_to_metric_families

from proxy import Proxy, port_of, through
from waiting import until

OF_THE_WHOLE_FLOW = {"tandem_pending_users", "tandem_oldest_pending_seconds", "tandem_dead_letters"}


async def test_while_postgresql_is_silent_all_is_told_but_what_only_it_knows(system, serve):
    async with Proxy(port_of(system.urls.postgres_service_url)) as postgres:
        serve.system = through(system, postgres=postgres)
        client = (await serve(DATABASE_TIMEOUT_SECONDS="1")).client

        async def told() -> dict[str, float]:
            families = text_string_to_metric_families((await client.get("/metrics")).text)
            return {sample.name: sample.value for family in families for sample in family.samples}

        assert (await told()).keys() >= OF_THE_WHOLE_FLOW
        postgres.fall_silent()

        async def is_noticed() -> bool:
            found = await told()
            not_ready = found["tandem_ready"] == found["tandem_lease_held"] == 0
            return not_ready and not OF_THE_WHOLE_FLOW & found.keys()

        await until(is_noticed, "PostgreSQL is missed")
        postgres.forward_again()

        async def is_back() -> bool:
            return (await told()).keys() >= OF_THE_WHOLE_FLOW

        await until(is_back, "PostgreSQL is asked again")
