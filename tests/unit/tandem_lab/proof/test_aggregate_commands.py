"""What a proof of orders sends, and which answers it takes for good."""

import itertools
from dataclasses import replace

import pytest
from orders import ORDERS
from orders.order import RefuseOrder

from tandem_lab.errors import LabError
from tandem_lab.proof.aggregate_commands import USERS, AggregateCommand, AggregateScript
from tandem_lab.proof.commands import Answer
from tandem_lab.proof.ledger import Kind
from tandem_lab.proof.plan import Mix

MIX = Mix(create=1, update=4, delete=1)


class Served:
    """A script, all of whose commands are acknowledged."""

    def __init__(self, trial=ORDERS.trial):
        self.script = AggregateScript(ORDERS, trial, "run", MIX)
        self.ids = itertools.count(1)
        self.sent = []
        for command in self.script.before():
            self.answer(command)

    def answer(self, command):
        self.sent.append(command)
        version = 1 if command.target is None else command.target.version + 1
        status = {Kind.CREATE: 201, Kind.UPDATE: 200}.get(command.kind, 204)
        return self.script.note(command, Answer(status, version, next(self.ids)))

    def push(self, index):
        created = self.answer(self.script.creation(index))
        for command in self.script.changes(index, created):
            self.answer(command)


@pytest.fixture
def served():
    found = Served()
    for index in range(60):
        found.push(index)
    return found


def test_orders_are_created_and_changed_while_users_are_renamed_and_end(served):
    of_orders = [command for command in served.sent if isinstance(command, AggregateCommand)]
    of_users = [command for command in served.sent if not isinstance(command, AggregateCommand)]
    assert [command.kind for command in of_orders].count(Kind.CREATE) == 60
    assert {command.segment for command in of_orders} == {"", "pay", "ship", "cancel"}
    assert {command.kind for command in of_users} == set(Kind)
    assert all(b'"name"' in command.body for command in of_users if command.kind is Kind.UPDATE)
    assert len({command.key for command in of_orders}) == len(of_orders)
    assert len({command.key for command in of_users}) == len(of_users)


def test_who_ends_is_replaced(served):
    kinds = [command.kind for command in served.sent if not isinstance(command, AggregateCommand)]
    ended = kinds.count(Kind.DELETE) + kinds.count(Kind.ERASE)
    assert ended >= 60
    assert USERS + ended <= kinds.count(Kind.CREATE)


def test_a_command_is_sent_to_its_own_path_and_the_ledger_keeps_it(served):
    for command in [one for one in served.sent if isinstance(one, AggregateCommand)]:
        method, path, headers = command.request
        assert (method, headers["Idempotency-Key"]) == ("POST", command.key)
        if command.target is None:
            assert path == "/api/v1/order-command?seed=run"
            continue
        assert path == f"/api/v1/order-command/{command.target.id}/{command.segment}"
        assert headers.get("If-Match") == (f'"{command.expected}"' if command.expected else None)
        entry = served.script.entry(command, Answer(200, 9), tries=1)
        assert (entry.id, entry.version, entry.command) == (command.target.id, 9, command.name)
        assert entry.body.keys() == {{"pay": "cents", "ship": "parcel", "cancel": "reason"}[command.segment]}


def test_a_rejection_is_noted_only_where_an_earlier_try_may_be_carried_out_after_it(served):
    change = next(command for command in served.sent if getattr(command, "segment", ""))
    assert served.script.entry(change, Answer(409, 0), tries=1) is None
    assert served.script.entry(change, Answer(409, 0), tries=2).rejected == 409
    user = next(command for command in served.sent if not isinstance(command, AggregateCommand))
    assert served.script.entry(user, Answer(201, 1, 5), tries=1) is None


@pytest.mark.parametrize(
    ("status", "etag", "body", "answer"),
    [
        (200, '"4"', b'{"id":7,"version":4,"more":1}', Answer(200, 4, 7)),
        (200, '"4"', b"{}", None),
        (201, '"4"', b'{"id":7,"version":4}', None),
        (409, "", b"", Answer(409, 0)),
        (410, "", b"", Answer(410, 0)),
        (412, '"4"', b"", Answer(412, 4)),
        (422, "", b"", Answer(422, 0)),
        (422, "", b'{"parameter":"Idempotency-Key"}', None),
        (400, "", b"", None),
        (404, "", b"", None),
        (503, "", b"", None),
    ],
)
def test_a_response_answers_for_good_only_as_it_has_to(status, etag, body, answer, served):
    change = next(command for command in served.sent if getattr(command, "expected", 0) and command.segment)
    assert change.answered_by(status, etag, body) == answer


@pytest.mark.parametrize("status", [200, 409, 422])
def test_what_creates_has_to_be_acknowledged(status, served):
    assert served.script.creation(99).answered_by(status, "", b'{"id":7,"version":1}') is None


@pytest.mark.parametrize("wrong", ["create", "change"])
def test_a_trial_that_sends_what_no_client_can_send_is_refused_in_a_sentence(wrong):
    served = Served(replace(ORDERS.trial, **{wrong: lambda *_: RefuseOrder("no")}))
    with pytest.raises(LabError, match=f"trial of orders {wrong}s with RefuseOrder"):
        served.push(0)
