"""What is read of one cell: of this one with the parts of its flow, of another with parts that only read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tandem.aggregates.flow import AggregateFlow
from tandem.app.adapters import Adapters
from tandem.app.comparing import runs_of_cell
from tandem.cqrs.user import KIND
from tandem.delivery.flow_state import Latest
from tandem.feed.following import FeedFollowing
from tandem.runs.judging import CellOfRuns
from tandem.runs.samples import RunSamples
from tandem.runs.statistics import Statistics
from tandem.user_command.dead_letters import AggregateDeadLetter, AggregateDeadLetterWithState, DeadLetters
from tandem.user_command.service import UserCommandService
from tandem.user_query.service import UserQueryService
from tandem.verification.chunks import VerifiedState


@dataclass(frozen=True, kw_only=True)
class ReadSide:
    """The parts that answer reads of one cell; those with a kind are by kind."""

    adapters: Adapters
    #: Users in PostgreSQL, and in MongoDB.
    command_service: UserCommandService
    query_service: UserQueryService
    #: Of installed aggregates.
    flows: Mapping[str, AggregateFlow]
    following: FeedFollowing
    statistics: Mapping[str, Statistics]
    samples: Mapping[str, RunSamples]
    judged: Mapping[str, CellOfRuns]
    dead_letters: Mapping[str, DeadLetters]
    verified: Latest[Sequence[VerifiedState]]


def read_side_of(
    adapters: Adapters,
    command_service: UserCommandService,
    query_service: UserQueryService,
    flows: Mapping[str, AggregateFlow],
) -> ReadSide:
    """What is read through these adapters, with services that stand on them."""
    reads, kinds = adapters.reads, list(adapters.own)
    return ReadSide(
        adapters=adapters,
        command_service=command_service,
        query_service=query_service,
        flows=flows,
        following=FeedFollowing(adapters.feed),
        statistics={KIND: adapters.statistics} | {kind: Statistics(reads, kind) for kind in kinds},
        samples={KIND: adapters.samples} | {kind: RunSamples(reads, kind) for kind in kinds},
        judged={kind: runs_of_cell(adapters, kind) for kind in (KIND, *kinds)},
        dead_letters={KIND: adapters.dead_letters} | {kind: _letters_of(adapters, kind) for kind in kinds},
        verified=Latest(adapters.chunks.state),
    )


def _letters_of(adapters: Adapters, kind: str) -> DeadLetters:
    types = (AggregateDeadLetter, AggregateDeadLetterWithState)
    return DeadLetters(adapters.reads, kind, adapters.own[kind].aggregate.plural, *types)
