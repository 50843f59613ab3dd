"""Folding a user's events gives the state that its rows have, whatever commands came, in whatever batches."""

import asyncio
import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limits import WHOLE_USERS, emails
from systems import open_system
from tandem.app import run_instance
from tandem.cqrs import CreateUserCommand, DeleteUserCommand, UpdateUserCommand
from tandem.delivery.contest import Overtaken
from tandem.delivery.rejections import Rejection
from tandem.user import InvalidField, Profile, UserPatch
from tandem.user_command.changes import state_of
from tandem.user_command.event_log import state_after
from waiting import until


def is_sendable(patch) -> bool:
    """Whether HTTP would let it pass."""
    text = json.dumps(patch)
    if "\\u0000" in text or "\\ud8" in text:
        return False
    try:
        msgspec.json.decode(text, type=UserPatch)
    except msgspec.MsgspecError:
        return False
    return True


fields = st.sampled_from(sorted(WHOLE_USERS))
patches = (
    fields.flatmap(lambda name: st.fixed_dictionaries({name: WHOLE_USERS[name] | st.none()}))
    | st.fixed_dictionaries({"email": emails})
    | st.just({"phone": "1"})
).filter(is_sendable)
expected = st.none() | st.frozensets(st.integers(1, 5), max_size=2)
commands_on_a_user = st.builds(UpdateUserCommand, st.just(0), patches, expected) | st.builds(
    DeleteUserCommand, st.just(0), st.booleans(), expected
)
batches = st.lists(st.lists(commands_on_a_user, min_size=1, max_size=4), min_size=1, max_size=4)


@pytest.fixture(scope="module")
async def running(servers):
    """An instance in this process for all examples, and its databases."""
    async with (
        open_system(await servers.new_databases()) as system,
        run_instance(system.settings()) as instance,
    ):
        yield system, instance


async def carry_out(system, instance, sequence) -> None:
    aggregate = await instance.flow.commands.execute(CreateUserCommand("fold", Profile("a@b", phone="1")))
    user_id = aggregate.user.id
    versions = [1]
    for batch in sequence:
        named = [replaced(command, user_id) for command in batch]
        outcomes = await asyncio.gather(
            *(execute(instance, command) for command in named), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, (Rejection, InvalidField)):
                continue
            assert not isinstance(outcome, BaseException), outcome
            if outcome.is_changed:
                versions.append(outcome.user.version)
    assert sorted(versions) == list(range(1, len(versions) + 1))
    stored = await instance.flow.command_service.current(user_id)
    events = await instance.flow.command_service.events(user_id)
    if stored.is_erased:
        assert {event.event_data for event in events} == {None}
    else:
        assert state_after(events) == state_of(stored)

    async def has_followed() -> bool:
        document = await system.users.find_one({"_id": user_id})
        return document is not None and document["version"] == max(versions)

    await until(has_followed, f"version {max(versions)} of user {user_id} in MongoDB")


async def execute(instance, command):
    """As the controller does: decide again where the user was changed meanwhile."""
    while True:
        try:
            return await instance.flow.commands.execute(command)
        except Overtaken:
            continue


def replaced(command, user_id):
    fields = {name: getattr(command, name) for name in command.__struct_fields__}
    return type(command)(**fields | {"user_id": user_id})


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(sequence=batches)
async def test_any_sequence_of_commands(running, sequence):
    await carry_out(*running, sequence)
