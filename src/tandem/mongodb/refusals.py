"""What MongoDB's errors mean for each document of a bulk write.

A server's state (no primary, a full disk, a right that is missing) says nothing about a document, and passes:
all of the batch is tried again. A document's own fault never passes, so that one is set aside and the rest
goes on. Reasons name codes and indexes, never what is in a document: MongoDB's own words may quote it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tandem.kernel import Unavailable

DUPLICATE_KEY = 11000

# What MongoDB refuses in one document however often it is asked, by the names of its own list of errors.
REFUSED_FOR_GOOD = {
    2: "BadValue",
    14: "TypeMismatch",
    15: "Overflow",
    16: "InvalidLength",
    22: "InvalidBSON",
    28: "PathNotViable",
    52: "DollarPrefixedFieldName",
    53: "InvalidIdField",
    54: "NotSingleValueField",
    55: "InvalidDBRef",
    56: "EmptyFieldName",
    57: "DottedFieldName",
    61: "ShardKeyNotFound",
    66: "ImmutableField",
    116: "DocTooLargeForCapped",
    121: "DocumentValidationFailure",
    171: "CannotIndexParallelArrays",
    201: "CannotBuildIndexKeys",
    241: "ConversionFailure",
    357: "InvalidBSONType",
    378: "NonConformantBSON",
    10003: "CannotGrowDocumentInCappedNamespace",
    10334: "BSONObjectTooLarge",
    17280: "KeyTooLong",
}
# MongoDB's states have names, and their codes lie below this, but for those named here. Above lie assertions
# without a name, each about what was sent: "Can't extract geo keys".
FIRST_ASSERTION = 10_000
STATES_ABOVE = {
    10058,  # LegacyNotPrimary
    10107,  # NotWritablePrimary
    11600,  # InterruptedAtShutdown
    11601,  # Interrupted
    11602,  # InterruptedDueToReplStateChange
    12586,  # BackgroundOperationInProgressForDatabase
    12587,  # BackgroundOperationInProgressForNamespace
    13104,  # PrepareConfigsFailed
    13297,  # DatabaseDifferCase
    13388,  # StaleConfig
    13435,  # NotPrimaryNoSecondaryOk
    13436,  # NotPrimaryOrSecondary
    14031,  # OutOfDiskSpace
    28769,  # NamespaceCannotBeSharded
    31082,  # SearchNotEnabled
    46841,  # ClientMarkedKilled
    50768,  # NotARetryableWriteCommand
    50915,  # BackupCursorOpenConflictWithCheckpoint
    56846,  # ConfigServerUnreachable
    57986,  # RetryableInternalTransactionNotSupported
    91331,  # RetriableRemoteCommandFailure
    640570,  # IllegalChangeToExpectedShardVersion
    640571,  # IllegalChangeToExpectedDatabaseVersion
    1003141,  # RemoveShardDrainingInProgress
    10045600,  # InterruptedDueToFCVChange
}
_INDEX_NAME = re.compile(r" index: (\S+) dup key")


class Sorted(msgspec.Struct, frozen=True):
    """The ids of a bulk that were there already, and, by id, why others are refused for good.

    `matched`: how many documents replacements have found.
    """

    existing: set[int]
    refused: dict[int, str]
    matched: int


def is_documents_own_fault(code: int) -> bool:
    """Whether a write error with this code says that the one document can never be written as it is."""
    if code in REFUSED_FOR_GOOD or code == DUPLICATE_KEY:
        return True
    return code >= FIRST_ASSERTION and code not in STATES_ABOVE


def sort_errors(details: Mapping[str, Any]) -> Sorted:
    """What the details of a `BulkWriteError` say about each document.

    Raises:
        Unavailable: some error is the server's state, or the write concern was not met, which is no
            acknowledgement.
    """
    existing: set[int] = set()
    refused: dict[int, str] = {}
    for error in details["writeErrors"]:
        id_ = _id_in(error["op"])
        if _is_replay(error):
            existing.add(id_)
        elif is_documents_own_fault(error["code"]):
            refused[id_] = _reason(error)
        else:
            msg = f"MongoDB did not write (code {error['code']})"
            raise Unavailable(msg)
    if details["writeConcernErrors"]:
        msg = f"MongoDB did not acknowledge (code {details['writeConcernErrors'][0]['code']})"
        raise Unavailable(msg)
    return Sorted(existing, refused, details["nMatched"])


def codes_of(details: Mapping[str, Any]) -> Sequence[int]:
    """The codes in the details of a `BulkWriteError`: all of it that may be logged."""
    return sorted({error["code"] for error in (*details["writeErrors"], *details["writeConcernErrors"])})


def _id_in(operation: Mapping[str, Any]) -> int:
    """The id that an insert or a replacement was about."""
    return int(operation.get("q", operation)["_id"])


def _is_replay(error: Mapping[str, Any]) -> bool:
    """Whether the id itself is there already. A unique index of somebody's on another field is no replay."""
    if error["code"] != DUPLICATE_KEY:
        return False
    return error.get("keyPattern") == {"_id": 1} or _index_in(error) == "_id_"


def _index_in(error: Mapping[str, Any]) -> str:
    found = _INDEX_NAME.search(str(error.get("errmsg")))
    return found[1] if found else "without a name"


def _reason(error: Mapping[str, Any]) -> str:
    code = error["code"]
    if code == DUPLICATE_KEY:
        fields = ", ".join(error.get("keyPattern", {}))
        return (
            f"11000 DuplicateKey: another document has the same value in the unique index {_index_in(error)} "
            f"(on {fields}), which is none of Tandem's. Drop that index, then retry."
        )
    if name := REFUSED_FOR_GOOD.get(code):
        return f"{code} {name}: a validation rule or an index of the collection does not take this document."
    return f"{code}: an index of the collection, none of Tandem's, does not take this document."
