"""A change of the documents' shape is deployed under load: new programs one by one, then `tandem rebuild`."""

import os

import pytest
from orders import ORDERS

from command_line import run_tandem
from following import FollowedOrders
from installed import installed, installed_orders
from places import ROOT
from systems import Servings, open_system
from waiting import until

#: The package of the next release: orders have their total as text, and no number of cents.
NEXT = """
from dataclasses import replace
from orders import ORDERS

def shown(order, related):
    document = dict(ORDERS.document(order, related))
    return document | {"total": f"{document.pop('cents') / 100:.2f}"}

NEXT = replace(ORDERS, document=shown, shape=2, earlier_shapes={1: ORDERS.document})
"""


def next_release(folder) -> dict[str, str]:
    """The environment in which Python finds it."""
    folder.mkdir()
    (folder / "orders_next.py").write_text(NEXT)
    environment = installed(folder / "installed", folder, "tandem_orders", "orders_next:NEXT")
    paths = (environment["PYTHONPATH"], str(ROOT / "examples" / "orders"))
    return {"PYTHONPATH": os.pathsep.join(paths)}


@pytest.mark.slow
async def test_a_new_shape_is_deployed_under_load_and_taken_back(servers, tmp_path):
    old, new = installed_orders(tmp_path / "old"), next_release(tmp_path / "new")
    async with servers.lend_databases() as lent, open_system(lent, [ORDERS]) as system:
        owners = {"POSTGRES_URL": lent.postgres_owner_url, "MONGODB_URL": lent.mongodb_owner_url}
        serve = Servings(system, tmp_path)
        served = [await serve(f"instance-{number}", **old) for number in (1, 2)]
        user = await served[0].client.post("/api/v1/user-command?seed=load", json={"email": "a@b"})
        clients = [each.client for each in served]
        load = FollowedOrders(clients, clients)
        load.user_id = int(user.headers["location"].rsplit("/", 1)[1])

        async def rebuilt(*arguments: str) -> str:
            code, said = await run_tandem("rebuild", "--aggregate", "orders", *arguments, **owners, **new)
            assert code == 0, said
            return said

        async with load:
            await load.more(200)
            code, said = await run_tandem("rebuild", "--aggregate", "orders", **owners, **new)
            assert code == 1
            assert "does not know shape 2 of orders: instance-1, instance-2" in said
            for place in (0, 1):
                successor = await serve(f"new-{place}", **new)
                clients[place] = successor.client
                await served[place].terminate()
                await load.more(100)
            assert all("cents" in shown and "total" not in shown for shown in load.shown.values())
            await rebuilt("--plan")
            await rebuilt()
            load.shown.clear()
            await load.more(200)
            assert all("total" in shown and "cents" not in shown for shown in load.shown.values())
            await rebuilt("--back")
            load.shown.clear()
            await load.more(200)
            assert all("cents" in shown and "total" not in shown for shown in load.shown.values())
            await rebuilt("--back")
            await rebuilt("--drop")
            await load.more(200)
        assert load.failed == []
        assert load.stale == []
        await until(lambda: nothing_pending(system), "nothing pending")
        code, said = await run_tandem("verify", **owners, **new)
        assert code == 0, said
        await serve.close()


async def nothing_pending(system) -> bool:
    return await system.count("select count(*) from prm_order_pending") == 0
