"""How documents of aggregates are compared with their rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tandem.aggregates.definition import Aggregate
from tandem.aggregates.documents import shown_or_why
from tandem.aggregates.messages import Stored
from tandem.aggregates.ports import Others
from tandem.mongodb.document import DELETED_AT, Document


class Shown:
    """Makes the documents of one kind.

    A document shows other things as they were when it was written. So what depends on them is not compared:
    a field that is another one with them than without. Where such a thing is gone, another of its kind stands
    in for it to find out.
    """

    def __init__(self, aggregate: Aggregate[Any], others: Others, shape: Callable[[], int]) -> None:
        """`shape` is that of the documents which are verified."""
        self._aggregate = aggregate
        self._shape = shape
        self._others = others
        self._nothing: Mapping[str, Any] = {related.name: None for related in aggregate.related}
        #: Some state of each related thing that was there.
        self._seen: dict[str, Any] = {}

    async def documents_of(self, aggregates: Sequence[Stored]) -> Sequence[Document | str]:
        """Those of these; of one that its author's code cannot show, why.

        Raises:
            Unavailable: PostgreSQL does not answer.
        """
        shown: list[dict[str, Any]] = [dict(self._nothing) for _ in aggregates]
        for related in self._aggregate.related:
            ids = [None if one.state is None else related.id_of(one.state) for one in aggregates]
            found = await self._others.find(related.kind, sorted({id_ for id_ in ids if id_ is not None}))
            if found:
                self._seen[related.name] = next(iter(found.values()))
            for one, id_ in zip(shown, ids, strict=True):
                one[related.name] = None if id_ is None else found.get(id_)
        return [self._document(stored, found) for stored, found in zip(aggregates, shown, strict=True)]

    def free_fields(self, stored: Stored, document: Document) -> set[str]:
        """The fields of this document that do not follow from the aggregate alone."""
        if stored.state is None or not self._aggregate.related:
            return {DELETED_AT}
        alone = self._document(stored, self._nothing)
        related = self._document(stored, {**self._nothing, **self._seen})
        if isinstance(alone, str) or isinstance(related, str) or len(self._seen) < len(self._nothing):
            return set(document)  # nobody can tell
        names = alone.keys() | related.keys() | document.keys()
        return {name for name in names if not alone.get(name) == related.get(name) == document.get(name)}

    def _document(self, stored: Stored, related: Mapping[str, Any]) -> Document | str:
        return shown_or_why(self._aggregate, stored, related, self._shape())
