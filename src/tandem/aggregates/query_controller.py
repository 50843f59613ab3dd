"""The query side of an aggregate over HTTP: documents from MongoDB, one by one and in lists."""

from contextlib import suppress
from datetime import timedelta
from itertools import chain
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tandem.aggregates.command_controller import AggregatePath
from tandem.aggregates.flow import AggregateFlow
from tandem.http.preconditions import ETAG, IF_NONE_MATCH
from tandem.http.preferences import preferred_wait, wait_applied
from tandem.http.problems import ProblemError, bad_parameter
from tandem.http.requests import NoArguments, Request, Response
from tandem.http.routes import Route, Scope
from tandem.http.silence import SILENT_CELLS, silence
from tandem.ids import HIGHEST_ID
from tandem.kernel.cells import PATIENCE, Everywhere, SilentCells
from tandem.mongodb.document import Document, encode_document, id_of, is_tombstone
from tandem.mongodb.documents import Documents
from tandem.user.profile import Seed
from tandem.user_query.controller import PREFER, SOURCE, VersionQuery, shown
from tandem.user_query.service import SHORTEST_READ_SECONDS
from tandem.user_query.share import Share


class AggregateQueryController:
    """Shows what MongoDB holds of one kind of aggregate."""

    def __init__(
        self,
        mongodb: Everywhere[AggregateFlow],
        postgresql: Everywhere[AggregateFlow],
        documents: Everywhere[Documents],
    ) -> None:
        """All are those of all cells: the flows that read documents, those that read rows, and documents."""
        self._mongodb = mongodb
        self._postgresql = postgresql
        self._documents = documents
        self._aggregate = mongodb.own.aggregate
        self._kind = self._aggregate.name
        self._lists = Share(
            f"lists of {self._aggregate.plural}",
            at_a_time=4,
            most_waiting=1_000,
            patience=timedelta(seconds=5),
        )

    def routes(self) -> list[Route]:
        """One document, and lists of them."""
        aggregate = self._aggregate
        path, tag = f"/api/v1/{self._kind}-query", f"{aggregate.plural}: query side (MongoDB)"
        return [
            Route(
                "GET",
                path,
                self.page,
                f"{aggregate.plural.capitalize()} in order of their ids",
                query_type=self._query_type(),
                responses={200: list[dict[str, Any]]},
                headers={200: SILENT_CELLS},
                problems=(503,),
                scope=Scope.QUERY,
                tag=tag,
                cancel_on_disconnect=True,
                description="The next page begins after the last `_id` of this one.",
            ),
            Route(
                "GET",
                f"{path}/{{id}}",
                self.find,
                f"One {self._kind}",
                path_type=AggregatePath,
                query_type=VersionQuery,
                responses={200: dict[str, Any], 304: None},
                request_headers=IF_NONE_MATCH | PREFER,
                headers={200: ETAG | SOURCE},
                problems=(404, 503),
                scope=Scope.QUERY,
                tag=tag,
                description="With `version`, the answer has this version or a later one, on whichever "
                "instance: from MongoDB if it has it, after waiting for it (`Prefer: wait=S`), or else from "
                "PostgreSQL.",
            ),
        ]

    def _query_type(self) -> type:
        """Which documents to list: a struct with a field for each that lists can be filtered by."""
        limit = Annotated[int, Meta(ge=1, le=100, description="How many at most.")]
        after = Annotated[int, Meta(ge=0, le=HIGHEST_ID, description="Only those with a higher id.")]
        fields: list[Any] = [("limit", limit, 10), ("after", after, 0), ("seed", Seed | None, None)]
        fields += [(name, wanted | None, None) for name, wanted in self._aggregate.listed_by.items()]
        return msgspec.defstruct(f"{self._kind.capitalize()}Query", fields, frozen=True)

    async def page(self, request: Request[NoArguments, Any, None]) -> Response:
        """A page of documents."""
        query = request.query
        given = [(name, getattr(query, name)) for name in self._aggregate.listed_by]
        given = [(name, value) for name, value in given if value is not None]
        if len(given) > 1:
            raise bad_parameter(given[1][0], f"cannot be given together with {given[0][0]}")
        async with self._lists.one():
            by = given[0] if given else None
            heard = await self._documents.ask(
                lambda documents: documents.page(query.limit, query.after, query.seed, by=by)
            )
        found = sorted(chain(*heard.answers.values()), key=id_of)[: query.limit]
        body = b"[%b]" % b",".join(map(encode_document, found))
        return Response(200, body, headers=silence(heard.silent))

    async def find(self, request: Request[AggregatePath, VersionQuery, None]) -> Response:
        """One document."""
        id_, version = request.path.id, request.query.version
        if version is None:
            document = await self._mongodb.ask_for(id_, lambda flow: flow.find(id_))
            if document is None or is_tombstone(document):
                detail = f"There is no {self._kind} with id {id_}. MongoDB has a new one within moments."
                raise ProblemError(404, detail)
            return shown(request, document)
        wait = preferred_wait(request)
        document, source = await self._in_mongodb(id_, version, wait), "MongoDB"
        if document is None:
            document, source = (
                await self._postgresql.ask_for(id_, lambda flow: flow.version_in_postgresql(id_, version)),
                "PostgreSQL",
            )
        if document is None or is_tombstone(document):
            detail = f"There is no {self._kind} with id {id_} in version {version} or a later one."
            raise ProblemError(404, detail)
        return shown(request, document, (("Tandem-Source", source), *wait_applied(wait)))

    async def _in_mongodb(self, id_: int, version: int, wait: float) -> Document | None:
        patience = PATIENCE + timedelta(seconds=max(wait, SHORTEST_READ_SECONDS))
        with suppress(SilentCells):
            return await self._mongodb.ask_for(
                id_, lambda flow: flow.version_in_mongodb(id_, version, wait), patience
            )
        return None
