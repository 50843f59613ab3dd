"""From the bytes of a request to the types of its route, or to a problem that names what is wrong."""

import json
import re
from collections.abc import Mapping, Set
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from tandem.http.field_types import require_bounded_integers
from tandem.http.problems import ProblemError, ProblemPlace, bad_field, bad_parameter
from tandem.http.requests import NoArguments, RawHeaders, Request
from tandem.http.routes import Route
from tandem.http.validation import explain, find_text, json_pointer

# PostgreSQL's text cannot hold U+0000, and UTF-8 cannot hold half a surrogate pair.
_NUL = re.compile("\x00")
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
# How many places one problem names: a short body can have thousands, and a pointer can be as long as it.
_MAX_PLACES = 20
_MAX_POINTER_CHARACTERS = 10_000
# Words of msgspec's errors about half a surrogate pair; which one depends on what follows it.
_MAY_BE_ABOUT_TEXT = re.compile("surrogate|hex escape|truncated")
_ESCAPED_NUL = b"\\u0000"

_NO_ARGUMENTS = NoArguments()
_STRAY_PERCENT = re.compile(rb"%(?![0-9a-fA-F]{2})")
_PATH_PARAMETER = re.compile(r"{(\w+)}")


class RequestDecoder:
    """Decodes the requests of one route. Made once: making msgspec's decoders is slow, using them is not."""

    def __init__(self, route: Route) -> None:
        for wanted in (route.path_type, route.query_type, route.body_type):
            if wanted is not None:
                require_bounded_integers(wanted)
        self.takes_body = route.body_type is not None
        self._body: msgspec.json.Decoder[Any] = msgspec.json.Decoder(route.body_type)
        self._path_type = route.path_type
        self._query_type = route.query_type
        self._query_names = _field_names(route.query_type)
        if _field_names(route.path_type) != set(_PATH_PARAMETER.findall(route.path)):
            msg = f"{route.path}: its parameters are not the fields of {route.path_type.__name__}"
            raise TypeError(msg)

    def decode(
        self, path: Mapping[str, bytes], query: bytes, body: bytes, headers: RawHeaders
    ) -> Request[Any, Any, Any]:
        """What the endpoint gets, from the still percent-encoded `path` parameters and `query`.

        Raises:
            ProblemError: 400, naming the parameter or field and what is wrong with it.
        """
        path_value = query_value = _NO_ARGUMENTS
        if path:
            path_arguments = {name: percent_decoded(name, value) for name, value in path.items()}
            path_value = _convert(path_arguments, self._path_type)
        if self._query_names:
            query_value = _convert(query_arguments(query, self._query_names), self._query_type)
        body_value = decode_body(self._body, body) if self.takes_body else None
        return Request(path_value, query_value, body_value, body, headers)


def _field_names(wanted: type) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(wanted)}


def percent_decoded(parameter: str, value: bytes) -> str:
    """The text that `value` stands for.

    Raises:
        ProblemError: 400 naming `parameter`, when it is not UTF-8 or contains U+0000.
    """
    if _STRAY_PERCENT.search(value):
        raise bad_parameter(
            parameter, "has a % without two hexadecimal digits: write %25 for the sign itself"
        )
    try:
        text = (unquote_to_bytes(value) if b"%" in value else value).decode()
    except UnicodeDecodeError:
        raise bad_parameter(parameter, "must be percent-encoded UTF-8") from None
    if "\x00" in text:
        raise bad_parameter(parameter, "must not contain U+0000")
    return text


def query_arguments(query: bytes, names: Set[str]) -> dict[str, str]:
    """The arguments among `names`. Others are ignored, as clients and proxies add their own.

    Raises:
        ProblemError: 400 for an argument that is not text, or is given twice: which one counts would be a
            guess.
    """
    arguments: dict[str, str] = {}
    if not query:
        return arguments
    for pair in query.replace(b"+", b" ").split(b"&"):
        raw_name, _, value = pair.partition(b"=")
        name = (unquote_to_bytes(raw_name) if b"%" in raw_name else raw_name).decode(errors="replace")
        if name in arguments:
            raise bad_parameter(name, "is given more than once")
        if name in names:
            arguments[name] = percent_decoded(name, value)
    return arguments


def decode_body(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    """The decoded body.

    Raises:
        ProblemError: 400, naming the field where there is one to name.
    """
    try:
        value = decoder.decode(body)
    except msgspec.ValidationError as error:
        path, detail = explain(error, decoder.type)
        raise bad_field(json_pointer(path), detail) from None
    except RecursionError:
        raise bad_field("#", "is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(body, error) from None
    # msgspec refuses half surrogate pairs itself, but not U+0000. Finding no backslash costs 0.03 us, finding
    # no escaped U+0000 0.6 us, walking the value 20 us.
    if b"\\" in body and _ESCAPED_NUL in body:
        _refuse_text(msgspec.to_builtins(value), _NUL)
    return value


def _convert(arguments: dict[str, str], wanted: type) -> Any:
    try:
        value: Any = msgspec.convert(arguments, wanted, strict=False)
    except msgspec.ValidationError as error:
        path, detail = explain(error, wanted)
        # Every argument arrives as text, so "not a string" would only confuse.
        raise bad_parameter(".".join(path), detail.removesuffix(", not a string")) from None
    if any(text.lower() == "null" for text in arguments.values()):
        _refuse_null(arguments, value)
    return value


def _refuse_null(arguments: Mapping[str, str], value: Any) -> None:
    """Refuse `null` where it was taken for no value at all."""
    for field in msgspec.structs.fields(value):
        name = field.encode_name
        if arguments.get(name, "").lower() == "null" and getattr(value, field.name) is None:
            raise bad_parameter(name, "is null: leave it out to give it no value")


def _malformed(body: bytes, error: Exception) -> ProblemError:
    """400 for a body that is not JSON. If only the text of some field is impossible, it names that field."""
    if not body.strip():
        return bad_field("#", "is empty: send a JSON object")
    if isinstance(error, UnicodeDecodeError) or _MAY_BE_ABOUT_TEXT.search(str(error)):
        try:
            # Python's own parser, slow but lenient, keeps what is not UTF-8 as half surrogate pairs.
            _refuse_text(json.loads(body.decode(errors="surrogateescape")), _NOT_TEXT)
        except ProblemError as problem:
            return problem
        except (ValueError, RecursionError):
            pass
    reason = (
        "it ends too early" if "truncated" in str(error) else str(error).removeprefix("JSON is malformed: ")
    )
    return bad_field("#", f"is not JSON: {reason}")


def _refuse_text(value: Any, unusable: re.Pattern[str]) -> None:
    detail = "must not contain U+0000, half a surrogate pair, or bytes that are not UTF-8"
    places: list[ProblemPlace] = []
    length = 0
    for path in find_text(value, unusable):
        pointer = json_pointer(path)
        length += len(pointer)
        if places and (length > _MAX_POINTER_CHARACTERS or len(places) == _MAX_PLACES):
            break
        places.append(ProblemPlace(pointer=pointer, detail=detail))
    if places:
        raise ProblemError(400, "Some text of the body cannot be stored.", errors=places)
