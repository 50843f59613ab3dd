"""Each thing that can be wrong with a request is named, in words for people."""

import tracemalloc
from typing import Annotated

import msgspec
import pytest

from tandem.http.decoding import RequestDecoder
from tandem.http.problems import ProblemError, ProblemPlace
from tandem.http.requests import NoArguments
from tandem.http.routes import Route
from web_example import ROUTES, Number, create

CREATE, _, FIND = (RequestDecoder(route) for route in ROUTES)

NOT_STORABLE = "must not contain U+0000, half a surrogate pair, or bytes that are not UTF-8"


def places(
    decoder: RequestDecoder, path=None, query=b"seed=s", body=b'{"name":"a"}'
) -> tuple[ProblemPlace, ...]:
    """What the decoder finds wrong."""
    with pytest.raises(ProblemError) as caught:
        decoder.decode(path or {}, query, body, [])
    assert caught.value.status == 400
    assert caught.value.detail
    return caught.value.errors


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        (b"", "#", "is empty: send a JSON object"),
        (b"  ", "#", "is empty: send a JSON object"),
        (b"{", "#", "is not JSON: it ends too early"),
        (b'{"name":"a"} x', "#", "is not JSON: trailing characters (byte 14)"),
        (b"[]", "#", "must be an object, not an array"),
        (b"null", "#", "must be an object, not null"),
        (b"{}", "#/name", "is required"),
        (b'{"name":5}', "#/name", "must be a string, not an integer"),
        (b'{"name":""}', "#/name", "must not be empty"),
        (b'{"name":"abcdef"}', "#/name", "must have at most 5 characters"),
        (b'{"name":"a","code":"A"}', "#/code", "does not have the right form: Small letters only"),
        (b'{"name":"a","place":7}', "#/place", "must be an object or null, not an integer"),
        (
            b'{"name":"a","place":{"postcode":[]}}',
            "#/place/postcode",
            "must be an integer, a string or null, not an array",
        ),
        (b'{"name":"a","place":{"tags":[1,2,"x"]}}', "#/place/tags/2", "must be an integer, not a string"),
        (b'{"name":"a","counts":{"b":"x"}}', "#/counts", "must be an integer, not a string"),
        (
            b'{"name":"a","place":{"postcode":9223372036854775808}}',
            "#/place/postcode",
            "must be at most 9223372036854775807",
        ),
        (b'{"name":"a","place":{"postcode":' + b"9" * 5000 + b"}}", "#/place/postcode", "is out of range"),
        (b'{"name":"a","place":{"postcode":1e999}}', "#/place/postcode", "is out of range"),
        (b'{"name":"a","x":' + b"[" * 30_000, "#", "is nested too deeply"),
        (b'{"name":"\\u0000"}', "#/name", NOT_STORABLE),
        (b'{"name":"\\ud800"}', "#/name", NOT_STORABLE),
        (b'{"name":"\\udc00a"}', "#/name", NOT_STORABLE),
        (b'{"name":"\xff"}', "#/name", NOT_STORABLE),
        (b'{"name":"\xed\xa0\x80"}', "#/name", NOT_STORABLE),
        (b'{"name":"a","counts":{"x/y~ \\u0000":1}}', "#/counts/x~1y~0%20%00", NOT_STORABLE),
        (b'{"name":"a","place":{"postcode":"\\u0000"}}', "#/place/postcode", NOT_STORABLE),
    ],
)
def test_a_wrong_body_is_refused_with_the_field_and_what_is_wrong(body, pointer, detail):
    assert places(CREATE, body=body) == (ProblemPlace(pointer=pointer, detail=detail),)


@pytest.mark.parametrize(
    ("query", "parameter", "detail"),
    [
        (b"", "seed", "is required"),
        (b"SEED=s", "seed", "is required"),
        (b"seed=", "seed", "must not be empty"),
        (b"seed=12345678901", "seed", "must have at most 10 characters"),
        (b"seed=a&seed=a", "seed", "is given more than once"),
        (b"seed=a&%73eed=a", "seed", "is given more than once"),
        (b"seed=%ff", "seed", "must be percent-encoded UTF-8"),
        (b"seed=%ed%a0%80", "seed", "must be percent-encoded UTF-8"),
        (b"seed=\xff", "seed", "must be percent-encoded UTF-8"),
        (b"seed=5%", "seed", "has a % without two hexadecimal digits: write %25 for the sign itself"),
        (b"seed=a%00", "seed", "must not contain U+0000"),
        (b"seed=a&limit=", "limit", "must be an integer"),
        (b"seed=a&limit=ten", "limit", "must be an integer"),
        (b"seed=a&limit=0", "limit", "must be at least 1"),
        (b"seed=a&limit=1001", "limit", "must be at most 1000"),
        (b"seed=a&limit=" + b"9" * 30, "limit", "must be at most 1000"),
        (b"seed=a&limit=" + b"9" * 5000, "limit", "is out of range"),
    ],
)
def test_a_wrong_query_is_refused_with_the_parameter_and_what_is_wrong(query, parameter, detail):
    assert places(CREATE, query=query) == (ProblemPlace(parameter=parameter, detail=detail),)


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (b"", "must be an integer"),
        (b"x", "must be an integer"),
        (b"0", "must be at least 1"),
        (b"9" * 30, "must be at most 9007199254740992"),
        (b"%ff", "must be percent-encoded UTF-8"),
    ],
)
def test_a_wrong_path_parameter_is_refused_with_what_is_wrong(value, detail):
    assert places(FIND, path={"id": value}) == (ProblemPlace(parameter="id", detail=detail),)


@pytest.mark.parametrize("query", [b"seed=s&utm=1&utm=2", b"seed=s&%ff=%ff&=&&x", b"&seed=s"])
def test_unknown_parameters_are_ignored_whatever_they_are(query):
    assert CREATE.decode({}, query, b'{"name":"a"}', []).query.seed == "s"


def test_an_escaped_backslash_before_u0000_is_plain_text():
    assert CREATE.decode(
        {}, b"seed=s", rb'{"name":"a","place":{"postcode":"\\u0000"}}', []
    ).body.place.postcode == ("\\u0000")


def test_text_in_unknown_fields_is_nobodys_business():
    assert CREATE.decode({}, b"seed=s", b'{"name":"a","x":"\\u0000"}', []).body.name == "a"


def test_every_unstorable_field_is_named_at_once():
    body = b'{"name":"\\u0000","code":null,"place":{"postcode":"\\u0000"}}'
    assert {place.pointer for place in places(CREATE, body=body)} == {"#/name", "#/place/postcode"}


class Loose(msgspec.Struct):
    """A type with a number that may be of any size."""

    inner: list[dict[str, int | None]] = []


class Tight(msgspec.Struct):
    """A type that contains itself."""

    number: Number = 0
    inner: "Tight | None" = None


def test_a_type_with_unbounded_integers_is_refused_when_the_route_is_made():
    with pytest.raises(TypeError, match="Loose"):
        RequestDecoder(Route("POST", "/x", create, "", body_type=Loose))
    RequestDecoder(Route("POST", "/x", create, "", body_type=Tight))


def test_a_path_must_name_the_fields_of_its_type():
    with pytest.raises(TypeError, match="NoArguments"):
        RequestDecoder(Route("GET", "/x/{id}", create, "", path_type=NoArguments))


def peak_memory_of(function) -> int:
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


DEEP = b'{"name":"a","x":' + b"[" * 900 + b"%b" + b"]" * 900 + b',"y":%b}'


@pytest.mark.parametrize(
    "body",
    [
        DEEP % (b"1," * 30_000 + b"1", b"NaN"),
        DEEP % (b'"a",' * 15_000 + b'"a"', b'"\\ud800"'),
        DEEP % (b'"\\u0000",' * 6_000 + b'"a"', b'"\\ud800"'),
        b'{"name":"\\ud800","' + b"k" * 50_000 + b'":[' + b'"\\ud800",' * 1_500 + b"1]}",
    ],
    ids=["no JSON at its end", "no text at its end", "much that is no text", "long pointers"],
)
def test_what_is_wrong_with_a_body_is_found_without_much_memory(body):
    """Paths to all that was walked took 161 MB."""
    found = []
    assert peak_memory_of(lambda: found.extend(places(CREATE, body=body))) < 12_000_000
    assert 1 <= len(found) <= 20
    assert sum(len(place.pointer) for place in found) < 70_000


def test_text_that_cannot_be_stored_is_found_wherever_it_is():
    body = b'{"name":"a","x":{"a/b":[1,{"c":["\\ud800"]}],"\\udc00":2}}'
    assert {place.pointer for place in places(CREATE, body=body)} == {"#/x/a~1b/1/c/0", "#/x/%3F"}


class MaybeQuery(msgspec.Struct, frozen=True):
    """Arguments that may be missing."""

    seed: str | None = None
    latest: Annotated[int, msgspec.Meta(ge=1, le=9)] | None = msgspec.field(default=None, name="version")


def test_null_is_no_value_of_an_argument_that_may_be_missing():
    decoder = RequestDecoder(Route("GET", "/", create, "May have arguments", query_type=MaybeQuery))
    assert decoder.decode({}, b"seed=null&version=3", b"", {}).query == MaybeQuery("null", 3)
    for text in (b"null", b"NULL", b"nu%6cl"):
        (place,) = places(decoder, query=b"version=" + text)
        assert (place.parameter, place.detail != "") == ("version", True)
