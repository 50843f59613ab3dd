"""What operators see of each kind: users, and every installed aggregate by the same code."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from tandem.aggregates.flow import AggregateFlow
from tandem.app import reading
from tandem.app.bootstrap import Instance
from tandem.app.identity_conflicts import IdentityConflictsController, replacing, replacing_users
from tandem.cqrs.user import KIND
from tandem.delivery.flow_state import PATIENCE, FlowStates, Latest
from tandem.kernel import Coalescer
from tandem.observability.flows import ObservedFlow, ObservedReactions
from tandem.user_command.dead_letters import DeadLettersController


def users_of(instance: Instance) -> ObservedFlow:
    """The flow of users."""
    adapters, flow = instance.adapters, instance.flow
    return ObservedFlow(
        kind=KIND,
        plural="users",
        committed=adapters.users.counters,
        projected=lambda: flow.query_service.projected,
        set_aside=flow.set_aside,
        recovery=flow.recovery,
        states=FlowStates(adapters.reads, KIND),
        pending=adapters.pending,
        dead_letters=adapters.dead_letters,
        trouble=lambda: flow.query_service.trouble,
        witness=adapters.witnesses[KIND],
    )


def aggregates_of(instance: Instance) -> list[ObservedFlow]:
    """The flow of each installed aggregate."""
    return [_aggregate_of(instance, flow) for flow in instance.own.flows.values()]


def _aggregate_of(instance: Instance, flow: AggregateFlow) -> ObservedFlow:
    kind, plural = flow.aggregate.name, flow.aggregate.plural
    store, reads = instance.own.adapters[kind].store, instance.adapters.reads
    return ObservedFlow(
        kind=kind,
        plural=plural,
        committed=store.counters,
        projected=lambda: flow.projected,
        set_aside=flow.set_aside,
        recovery=instance.own.recoveries[kind],
        states=FlowStates(reads, kind),
        pending=store.pending,
        dead_letters=instance.cells.own.dead_letters[kind],
        trouble=lambda: flow.trouble,
        witness=instance.adapters.witnesses[kind],
    )


def reactions_of(instance: Instance) -> ObservedReactions | None:
    """The reactions of installed aggregates; None where none is installed."""
    own = instance.own
    if not own.flows:
        return None
    return ObservedReactions(
        done=lambda: own.reactions.done, left=Latest(partial(own.tasks.state, within=PATIENCE))
    )


def dead_letters_of(instance: Instance) -> Iterator[DeadLettersController | IdentityConflictsController]:
    """What answers for the dead letters of each kind."""
    letters, path = reading.dead_letters_of(instance.cells, KIND), "/api/v1/dead-letters"
    yield DeadLettersController(letters, path)
    replace = replacing_users(instance.flow.command_service, instance.flow.query_service)
    yield IdentityConflictsController(letters, replace, path)
    for kind, flow in instance.own.flows.items():
        letters, path = reading.dead_letters_of(instance.cells, kind), f"/api/v1/{kind}-dead-letters"
        yield DeadLettersController(letters, path)
        yield IdentityConflictsController(
            letters, replacing(flow, instance.own.adapters[kind].documents), path
        )


def steps_of(instance: Instance) -> list[Coalescer[Any, Any]]:
    """The steps of installed aggregates, whose batches are traced."""
    return [step for flow in instance.own.flows.values() for step in flow.steps]


def operations_of(instance: Instance) -> Mapping[str, tuple[str, str, str]]:
    """What a batch of each step does, as `observability.tracing` says it: system, operation, and where."""
    found: dict[str, tuple[str, str, str]] = {}
    for kind, flow in instance.own.flows.items():
        operations = (
            ("postgresql", "BATCH INSERT", f"prm_{kind}"),
            ("postgresql", "BATCH UPDATE", f"prm_{kind}"),
            ("mongodb", "BATCH update", flow.aggregate.plural),
            ("postgresql", "BATCH UPDATE", f"prm_{kind}"),
            ("postgresql", "BATCH DELETE", f"prm_{kind}_pending"),
        )
        found |= {step.name: operation for step, operation in zip(flow.steps, operations, strict=True)}
    return found
