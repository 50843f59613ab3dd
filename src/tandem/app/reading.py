"""What answers reads over all cells, made of the parts of each."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from tandem.aggregates.flow import AggregateFlow
from tandem.app.cells import Cells, Store
from tandem.kernel.cells import Everywhere, hear
from tandem.mongodb.documents import Documents
from tandem.runs.everywhere import AllRuns
from tandem.runs.judging import Judge
from tandem.runs.observed import Words
from tandem.user import StoredUser
from tandem.user_command.dead_letters import DeadLetters
from tandem.user_command.user_history import UserHistoryController
from tandem.user_query.controller import UserQueryController
from tandem.user_query.everywhere import AllUsers


def users_of(cells: Cells) -> Iterator[UserHistoryController | UserQueryController]:
    """What answers for users, from PostgreSQL and from MongoDB."""
    stored = cells.everywhere(lambda reads: reads.command_service, Store.POSTGRESQL)
    found = cells.everywhere(lambda reads: reads.query_service, Store.MONGODB)
    completeness = cells.everywhere(lambda reads: reads.adapters.completeness, Store.POSTGRESQL)

    async def current(user_id: int) -> StoredUser | None:
        return await stored.ask_for(user_id, lambda users: users.current(user_id))

    async def created_at(ids: Sequence[int]) -> Mapping[int, datetime]:
        users = await asyncio.gather(*map(current, ids))
        return {user.id: user.created_at for user in users if user is not None}

    async def complete_through(cell: int | None) -> int:
        parts = completeness.parts if cell is None else [completeness.named(cell)]
        if completeness.is_alone:
            return await completeness.own.through()
        heard = await hear(parts, lambda part: part.source.through())
        heard.require_all()
        return min(heard.answers.values())

    yield UserHistoryController(stored)
    yield UserQueryController(AllUsers(found, created_at), complete_through, current)


def runs_of(cells: Cells) -> Mapping[str, AllRuns]:
    """The runs of each kind."""

    def runs(kind: str) -> AllRuns:
        return AllRuns(cells.everywhere(lambda reads: reads.statistics[kind], Store.POSTGRESQL))

    return {kind: runs(kind) for kind in cells.own.statistics}


def judges_of(cells: Cells) -> Mapping[str, Judge]:
    """What judges the runs of each kind."""

    def judge(kind: str) -> Judge:
        return Judge(
            kind,
            words_of(cells, kind),
            cells.everywhere(lambda reads: reads.statistics[kind], Store.POSTGRESQL),
            cells.everywhere(lambda reads: reads.samples[kind], Store.POSTGRESQL),
            cells.everywhere(lambda reads: reads.judged[kind], Store.POSTGRESQL),
        )

    return {kind: judge(kind) for kind in cells.own.judged}


def words_of(cells: Cells, kind: str) -> Words:
    """What one of a kind is called, and what many are."""
    own = cells.own.adapters.own.get(kind)
    return Words(kind, own.aggregate.plural) if own else Words()


def dead_letters_of(cells: Cells, kind: str) -> Everywhere[DeadLetters]:
    """The dead letters of one kind."""
    return cells.everywhere(lambda reads: reads.dead_letters[kind], Store.POSTGRESQL)


def aggregates_of(
    cells: Cells, kind: str
) -> tuple[Everywhere[AggregateFlow], Everywhere[AggregateFlow], Everywhere[Documents]]:
    """Installed aggregates of one kind: what reads their rows, what reads one document, and all documents."""

    def flow_of(store: Store) -> Everywhere[AggregateFlow]:
        return cells.everywhere(lambda reads: reads.flows[kind], store)

    documents = cells.everywhere(lambda reads: reads.adapters.own[kind].documents, Store.MONGODB)
    return flow_of(Store.POSTGRESQL), flow_of(Store.MONGODB), documents
