"""Users at the limits of every field, and what both sides must answer for each that is accepted."""

import json
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

LIMITS_OF_DATES = [
    "0001-01-01T00:00:00Z",  # the zero of Go and of .NET
    "0001-01-01T00:00:00.000Z",
    "0001-01-01 00:00:00",
    "0001-01-01",
    "0001-01-01T00:00:00.000001Z",
    "0001-01-01T14:00:00+14:00",
    "0001-01-01T13:59:59.999999+14:00",
    "0001-01-01T00:00:00-14:00",
    "0000-01-01T00:00:00Z",
    "0000-12-31T24:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59.9999999Z",  # the greatest of .NET
    "9999-12-31T23:59:59.999Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999999-14:00",
    "9999-12-31T09:59:59.999999-14:00",
    "10000-01-01T00:00:00Z",
    "1970-01-01T00:00:00+23:59:59.999999",
    "2016-12-31T23:59:60Z",
    "2024-02-29T24:00:00Z",
    "4714-11-24T00:00:00 BC",
    "-infinity",
    "infinity",
    "now",
    "",
    "\ufeff2000-01-01T00:00:00Z",
    "٢٠٠٠-٠١-٠١T٠٠:٠٠:٠٠.٠٠٠Z",
]

SPECIAL_TEXTS = [
    "",
    " ",
    "\ufeff",
    "\u200c",
    "\x01",
    "\x7f",
    "\u2028",
    "\\",
    "\\u0000",
    '"',
    "'",
    "\\N",
    "null",
]
SPECIAL_TEXTS += [
    "NULL",
    "{}",
    "(",
    ",",
    "$where",
    "$.a",
    "\r\n",
    "e\u0301",
    "\ufffd",
    "\U0010ffff",
    "\ue000",
]


def edges(low: int, high: int) -> list[int]:
    """Both ends, what lies beyond them, and zero."""
    return [low - 1, low, low + 1, -1, 0, 1, high - 1, high, high + 1]


def text(most: int) -> st.SearchStrategy[str]:
    """Text of up to one character too many; PostgreSQL's U+0000 among it."""
    long = st.sampled_from([character * length for character in "x\U0001d11e" for length in (most, most + 1)])
    plain = st.text(st.characters(codec="utf-8"), max_size=8)
    return st.sampled_from(SPECIAL_TEXTS) | plain | long | st.just("a\x00b")


def integer(low: int, high: int) -> st.SearchStrategy[Any]:
    """Integers at the limits, and what is nearly one."""
    odd = st.sampled_from([-0.0, 1.0, 1e3, 0.5, 1e308, 10**30, -(10**400), True, "1"])
    return st.sampled_from(edges(low, high)) | st.integers(low, high) | odd


def parts(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object in which any field may be missing or null."""
    return st.fixed_dictionaries({}, optional={name: value | st.none() for name, value in fields.items()})


offsets = st.integers(-86_399_999_999, 86_399_999_999).map(
    lambda microseconds: timezone(timedelta(microseconds=microseconds))
)
moments = st.datetimes() | st.sampled_from([datetime.min, datetime.max])  # noqa: DTZ901 - get a zone below
iso_dates = (
    st.sampled_from(LIMITS_OF_DATES)
    | moments.map(lambda moment: moment.isoformat() + "Z")
    | st.builds(lambda moment, zone: moment.replace(tzinfo=zone).isoformat(), moments, offsets)
)
# Seconds of the years 1 and 9999, and those of 64 bits.
limits_of_epochs = [*edges(-62_135_596_800, 253_402_300_799), *edges(-(2**63), 2**63 - 1)]
epochs = st.sampled_from(limits_of_epochs) | st.integers(-(2**40), 2**40)
short, url = text(200), text(2_000)
small = integer(-32_768, 32_767)
dated = parts(date=iso_dates, age=small) | iso_dates | epochs | integer(-(2**63), 2**63 - 1)
street = short | parts(number=integer(-(2**31), 2**31 - 1), name=short)
location = parts(
    street=street,
    city=short,
    state=short,
    country=short,
    postcode=short | integer(-(2**63), 2**63 - 1),
    coordinates=parts(latitude=short, longitude=short),
    timezone=parts(offset=short, description=short),
)
emails = st.sampled_from(["a@b", "\ufeff@\ufeff", "\u200c@x", "x" * 318 + "@y", "\U0001d11e" * 318 + "@y"])

WHOLE_USERS = {
    "gender": short,
    "name": parts(title=short, first=short, last=short),
    "location": location,
    "login": parts(uuid=short, username=short),
    "dob": dated,
    "registered": dated,
    "phone": short,
    "cell": short,
    "id": parts(name=short, value=short),
    "picture": parts(large=url, medium=url, thumbnail=url),
    "nat": short,
}


@st.composite
def users(draw: st.DrawFn) -> bytes:
    """A user as it is sent: most have a few fields, so that one refused field does not hide the others."""
    names = draw(st.lists(st.sampled_from(sorted(WHOLE_USERS)), max_size=3, unique=True))
    user = {"email": draw(emails)} | {name: draw(WHOLE_USERS[name] | st.none()) for name in names}
    return json.dumps(user, ensure_ascii=draw(st.booleans())).encode()


def without_absent(value: Any) -> Any:
    """JSON in which null and absent are the same, and an object of nothing is nothing."""
    if not isinstance(value, dict):
        return value
    kept = {name: without_absent(inner) for name, inner in value.items()}
    return {name: inner for name, inner in kept.items() if inner is not None and inner != {}}


def profile_of(rows: dict[str, Any]) -> dict[str, Any]:
    """The profile that the command side's rows tell of, in the shape of the query side's document."""
    location, login = rows["location"] or {}, rows["login"] or {}
    zone = location.get("timezone") or {}
    return {
        "email": rows["email"],
        "gender": rows["gender"],
        "name": {"title": rows["title"], "first": rows["firstName"], "last": rows["lastName"]},
        "location": {
            "street": {"number": location.get("streetNumber"), "name": location.get("streetName")},
            "city": location.get("city"),
            "state": location.get("state"),
            "country": (location.get("country") or {}).get("name"),
            "postcode": location.get("postcode"),
            "coordinates": {"latitude": location.get("latitude"), "longitude": location.get("longitude")},
            "timezone": {"offset": zone.get("utcOffset"), "description": zone.get("description")},
        },
        "login": login,
        "dob": {"date": rows["birthAt"], "age": rows["birthAge"]},
        "registered": {"date": rows["registeredAt"], "age": rows["registeredAge"]},
        "phone": rows["phone"],
        "cell": rows["cell"],
        "id": {"name": rows["identityName"], "value": rows["identityValue"]},
        "picture": rows["picture"] or {},
        "nat": rows["nationality"],
    }


def with_moments(profile: dict[str, Any]) -> dict[str, Any]:
    """The profile with its dates as moments: the two sides may write their fractions differently."""
    for field in ("dob", "registered"):
        dated = profile.get(field)
        if isinstance(dated, dict) and dated.get("date"):
            profile[field] = {**dated, "date": datetime.fromisoformat(dated["date"])}
    return profile
