"""Orders of the example, placed as a command does it."""

from orders.order import Line, PlaceOrder

from tandem.aggregates.messages import Sent
from waiting import until

LINES = (Line("tea", 2, 350), Line("cup", 1, 900))


async def place(instance, user_id: int) -> int:
    """Place an order of a user; its id."""
    outcome = await instance.own.flows["order"].execute(Sent(PlaceOrder(user_id, LINES), "run"))
    return outcome.stored.id


async def until_no_order_is_pending(system) -> None:
    async def is_done() -> bool:
        return await system.count("select count(*) from prm_order_pending") == 0

    await until(is_done, "no order pending")
