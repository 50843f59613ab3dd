"""What is verified: a kind with its rows, its documents, and how one follows from the other."""

from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from tandem.delivery.source import Source
from tandem.mongodb.document import Document
from tandem.mongodb.stored import StoredDocuments


@dataclass(frozen=True, kw_only=True)
class VerifiedKind:
    """Users, or one kind of installed aggregates."""

    #: As in tables: "user".
    kind: str
    #: As people say: "users".
    plural: str
    source: Source[Any]
    documents: StoredDocuments
    #: Makes the documents of what rows have stored; of what cannot be shown, why.
    documents_of: Callable[[Sequence[Any]], Awaitable[Sequence[Document | str]]]
    #: The fields of a document that do not follow from the row alone, and so are not compared.
    free_fields: Callable[[Any, Document], Set[str]]
    #: A document in the form in which two are compared.
    normal: Callable[[Document], Document] = lambda document: document
