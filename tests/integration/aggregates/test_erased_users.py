"""Reactions to users who are erased before it is their turn."""

import asyncio
from dataclasses import replace

from orders import ORDERS
from orders.order import Line, PlaceOrder

from systems import Held, carry_out, commands, create, open_system
from tandem.aggregates.messages import Sent
from tandem.app import run_instance
from tandem.cqrs import DeleteUserCommand, UpdateUserCommand
from waiting import until


async def test_what_happened_to_a_user_who_was_erased_since_holds_up_no_reaction(databases):
    """Nothing is left then of what an earlier event had said."""
    gate = asyncio.Event()

    def held(adapters):
        return replace(adapters, reactions=Held(adapters.reactions, "claim", gate))

    async with (
        open_system(databases, [ORDERS]) as system,
        run_instance(system.settings(), held, aggregates=[ORDERS]) as instance,
    ):
        [jane] = await create(instance, commands(1))
        placed = Sent(PlaceOrder(jane.id, (Line("tea", 1, 350),)), "run")
        order = (await instance.own.flows["order"].execute(placed)).stored
        await carry_out(instance, UpdateUserCommand(jane.id, {"name": {"first": "Zoe"}}))
        await carry_out(instance, DeleteUserCommand(jane.id, erase=True))
        gate.set()

        async def all_is_done() -> bool:
            return await system.count("select count(*) from tandem_reaction") == 0

        await until(all_is_done, "no reaction left")
        assert (await instance.own.flows["order"].current(order.id)).state.status == "cancelled"
