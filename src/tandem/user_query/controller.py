"""The query side over HTTP."""

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from tandem.http.preconditions import ETAG, IF_NONE_MATCH, unless_known
from tandem.http.preferences import preferred_wait, wait_applied
from tandem.http.problems import ProblemError
from tandem.http.requests import Headers, NoArguments, Request, Response, StreamResponse, json_response
from tandem.http.routes import Route, Scope
from tandem.http.silence import SILENT_CELLS, silence
from tandem.ids import HIGHEST_ID, CellNumber, Version
from tandem.mongodb.document import Document, id_of, is_tombstone, version_of
from tandem.user import StoredUser
from tandem.user.ids import UserPath
from tandem.user.profile import Email, Seed
from tandem.user_query.everywhere import AllUsers
from tandem.user_query.fields import Fields, UserDocument, encode, fields_named
from tandem.user_query.lists import FIRST_PIECE, Listed
from tandem.user_query.search import Conditions, Search, Total

TAG = "query side (MongoDB)"
COMPLETE_THROUGH = "Complete-Through"
COMPLETE = "With `complete`: up to which id it is; of several cells, the lowest of theirs."
PREFER = {"Prefer": "With `version`: `wait=S` waits for MongoDB for at most S seconds (10 at most)."}
SOURCE = {
    "Tandem-Source": "With `version`: `MongoDB` or `PostgreSQL`.",
    "Preference-Applied": "The wait that was granted.",
}
PAGE = (
    "The next page begins after the last `_id` of this one. Users become readable in another order than that "
    "of their ids: who polls the end of this list by `after` misses those that arrive below. Ask with "
    "`complete=true` to miss nobody. That list ends before the lowest user that is still on its way, so what "
    "holds up one user holds back those above. Dead letters hold back nobody: one that is sent again arrives "
    "below. Without PostgreSQL, a list with `complete=true` is a 503, and others are answered. Long lists "
    "are sent in pieces; one that breaks off is not complete. Where there are several cells, a complete list "
    "ends where the first of them may still get users: who wants all of each cell at once names it by `cell`."
)


# By e-mail another user may be found the next time, which may have the same version.
NEWEST_ETAG = {"ETag": 'The user\'s id and version, such as `"7-3"`. For `If-Match`, take `version`.'}
LIST_ETAG = {"ETag": "Stands for the whole answer. Lists of more than 25 users have none."}

FieldNames = Annotated[
    str,
    Meta(
        max_length=500,
        description="Only these fields, with commas between: `name` for the whole name, `name.first` for one "
        "part of it. `_id` and `version` are always there.",
        examples=["name.first,email,location.city"],
    ),
]


class PageQuery(msgspec.Struct, frozen=True):
    """Which users to list."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="How many at most.")] = 10
    after: Annotated[int, Meta(ge=0, le=HIGHEST_ID, description="Only users with a higher id.")] = 0
    seed: Seed | None = None
    complete: Annotated[
        bool,
        Meta(
            description="Only up to the id below which nobody arrives any more, so that who goes on after "
            "the last `_id` misses nobody. The header `Complete-Through` says which id that is."
        ),
    ] = False
    cell: Annotated[
        CellNumber | None, Meta(description="Only users of this cell, where there are several.")
    ] = None
    fields: FieldNames | None = None


class VersionQuery(msgspec.Struct, frozen=True):
    """Which version of a user a reader has to see at least."""

    version: Annotated[Version | None, Meta(description="This version or a later one.")] = None


class UserQuery(VersionQuery, frozen=True):
    """Which version of a user, and which of its fields."""

    fields: FieldNames | None = None


class EmailQuery(msgspec.Struct, frozen=True):
    """Whose user to find."""

    email: Email
    fields: FieldNames | None = None


Exact = Annotated[str, Meta(max_length=100, description="Exactly this; any when empty.")]
Part = Annotated[
    str,
    Meta(
        max_length=100,
        description="Anywhere in the text, in capitals or not, with accents or without; any when empty.",
    ),
]


class SearchQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Which users to search for; all conditions must be met."""

    limit: Annotated[int, Meta(ge=1, le=200, description="How many at most.")] = 20
    after: Annotated[
        int,
        Meta(
            ge=0,
            le=HIGHEST_ID,
            description="The `next` of the answer before; 0 begins. Users that arrive on the side of it that "
            "was read are missed: who polls for new ones takes the list with `complete`.",
        ),
    ] = 0
    email: Annotated[
        str,
        Meta(
            max_length=320,
            description="Anywhere in the address, in capitals or not; if somebody has exactly this address, "
            "only that one.",
        ),
    ] = ""
    name: Annotated[
        str,
        Meta(
            max_length=100,
            description="Each word anywhere in the first or the last name, in any case: `nunez` finds Núñez.",
        ),
    ] = ""
    country: Part = ""
    seed: Exact = ""
    app_id: Exact = ""
    status: Annotated[
        Literal["", "CREATED", "UPDATED", "DELETED", "SYNCRONIZED"],
        Meta(description="Exactly this stage; any when empty."),
    ] = ""
    order: Annotated[
        Literal["oldest", "newest"], Meta(description="Which come first: the lowest ids, or the highest.")
    ] = "oldest"
    count: Annotated[
        bool, Meta(description="Whether to say how many there are: among 20,000 users, `total` is exact.")
    ] = False
    fields: FieldNames | None = None


class FoundUsers(msgspec.Struct, frozen=True):
    """A page of users that were found."""

    users: list[UserDocument]
    #: Where to go on, with `after`; null when everything was looked at.
    next: int | None
    #: How many documents it took.
    examined: int
    #: With `count`: how many there are, of this page and all others.
    total: Total | UnsetType = UNSET
    #: Cells that did not answer in time, and are left out; missing where all have.
    silent_cells: list[int] | UnsetType = msgspec.field(name="silentCells", default=UNSET)


class _Page(msgspec.Struct, frozen=True, rename="camel"):
    """The same, with users that are JSON already."""

    users: list[msgspec.Raw]
    next: int | None
    examined: int
    total: Total | UnsetType = UNSET
    silent_cells: Sequence[int] | UnsetType = UNSET


class UserQueryController:
    """Shows what MongoDB holds."""

    def __init__(
        self,
        users: AllUsers,
        complete_through: Callable[[int | None], Awaitable[int]],
        in_postgresql: Callable[[int], Awaitable[StoredUser | None]],
    ) -> None:
        """What needs PostgreSQL is handed in; it may raise Unavailable.

        Args:
            users: users in MongoDB, of all cells.
            complete_through: answers the id up to which MongoDB has everybody, of this cell or of all.
            in_postgresql: a user as PostgreSQL has it now.
        """
        self._users = users
        self._complete_through = complete_through
        self._in_postgresql = in_postgresql

    def routes(self) -> list[Route]:
        """The routes of the query side."""
        return [
            Route(
                "GET",
                "/api/v1/user-query",
                self.page,
                "Users in order of their ids",
                query_type=PageQuery,
                responses={200: list[UserDocument], 304: None},
                request_headers=IF_NONE_MATCH,
                problems=(503,),
                scope=Scope.QUERY,
                tag=TAG,
                cancel_on_disconnect=True,
                description=PAGE,
                headers={200: {COMPLETE_THROUGH: COMPLETE} | LIST_ETAG | SILENT_CELLS},
            ),
            Route(
                "GET",
                "/api/v1/user-query/email",
                self.find_newest,
                "The newest user of an e-mail address",
                query_type=EmailQuery,
                responses={200: UserDocument, 304: None},
                request_headers=IF_NONE_MATCH,
                headers={200: NEWEST_ETAG | SILENT_CELLS},
                problems=(404, 503),
                scope=Scope.QUERY,
                tag=TAG,
            ),
            Route(
                "GET",
                "/api/v1/user-query/search",
                self.search,
                "Search for users, in order of their ids",
                query_type=SearchQuery,
                responses={200: FoundUsers},
                headers={200: SILENT_CELLS},
                problems=(503,),
                scope=Scope.QUERY,
                tag=TAG,
                cancel_on_disconnect=True,
                description="One request looks at no more than 20,000 documents, and answers with about "
                "256 KB at most. It may find less than `limit`, or nothing, with more to come: go on while "
                "`next` is no null.",
            ),
            Route(
                "GET",
                "/api/v1/user-query/{id}",
                self.find,
                "One user",
                path_type=UserPath,
                query_type=UserQuery,
                responses={200: UserDocument, 304: None},
                request_headers=IF_NONE_MATCH | PREFER,
                headers={200: ETAG | SOURCE},
                problems=(404, 503),
                scope=Scope.QUERY,
                tag=TAG,
                description="With `version`, the answer has this version or a later one, on whichever "
                "instance: from MongoDB if it has it, after waiting for it (`Prefer: wait=S`), or else from "
                "PostgreSQL, byte for byte the same. So a client that sends the version of a command's ETag "
                "reads what it has written.",
            ),
        ]

    async def page(self, request: Request[NoArguments, PageQuery, None]) -> Response | StreamResponse:
        """A page of users; a long one in pieces."""
        query = request.query
        fields = fields_named(query.fields)
        # Before MongoDB is read: who is counted as complete has to be in what is read.
        through = await self._complete_through(query.cell) if query.complete else None
        headers = () if through is None else ((COMPLETE_THROUGH, str(through)),)
        wanted = Listed(query.limit, query.after, query.seed, through, fields)
        if query.limit <= FIRST_PIECE:
            users, silent = await self._users.lists.short(wanted, query.cell)
            headers = (*headers, *silence(silent))
            return unless_known(request, sha256(users).hexdigest(), Response(200, users, headers=headers))
        pieces, silent = await self._users.lists.pieces(wanted, query.cell)
        return StreamResponse(pieces, headers=(*headers, *silence(silent)))

    async def find_newest(self, request: Request[NoArguments, EmailQuery, None]) -> Response:
        """The newest user of an address."""
        fields = fields_named(request.query.fields)
        document, silent = await self._users.find_newest(request.query.email, fields)
        if document is None:
            raise _unknown("with this e-mail address")
        return shown(request, document, silence(silent), fields, before_version=f"{id_of(document)}-")

    async def search(self, request: Request[NoArguments, SearchQuery, None]) -> Response:
        """A page of the users that meet all conditions."""
        query = request.query
        conditions = Conditions(
            query.email, query.name, query.country, query.seed, query.app_id, query.status
        )
        search = Search(
            conditions,
            query.limit,
            query.after,
            fields_named(query.fields),
            is_newest_first=query.order == "newest",
            is_counted=query.count,
        )
        found, silent = await self._users.search(search)
        users = [user.json for user in found.users]
        total = replace(found.total, is_exact=found.total.is_exact and not silent) if found.total else UNSET
        page = _Page(users, found.next, found.examined, total, silent or UNSET)
        return json_response(page, headers=silence(silent))

    async def find(self, request: Request[UserPath, UserQuery, None]) -> Response:
        """One user."""
        user_id, version, fields = request.path.id, request.query.version, fields_named(request.query.fields)
        if version is None:
            found = await self._users.find(user_id, fields)
            if found is None:
                raise _unknown(f"with id {user_id}")
            return shown(request, found, fields=fields)
        wait = preferred_wait(request)
        document, source = await self._users.find_version(user_id, version, wait, fields), "MongoDB"
        if document is None:
            user, source = await self._in_postgresql(user_id), "PostgreSQL"
            document = self._users.shown(user) if user is not None and user.version >= version else None
        if document is None or is_tombstone(document):
            raise ProblemError(
                404, f"There is no user with id {user_id} in version {version} or a later one."
            )
        return shown(request, document, (("Tandem-Source", source), *wait_applied(wait)), fields)


def _unknown(which: str) -> ProblemError:
    return ProblemError(
        404, f"There is no user {which}. MongoDB has one that was just created within moments."
    )


def shown(
    request: Request[Any, Any, None],
    document: Document,
    headers: Headers = (),
    fields: Fields | None = None,
    before_version: str = "",
) -> Response:
    """The document, or these fields of it; 304 where the client has that version.

    `before_version` stands in the ETag, where that cannot be the version alone.
    """
    answer = Response(200, encode(document, fields), headers=headers)
    version = version_of(document)
    return unless_known(request, f"{before_version}{version}", answer) if version else answer
