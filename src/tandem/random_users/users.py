"""Users made of a seed and a number, in the format of randomuser.me 1.4, but without passwords."""

import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from tandem.random_users.nationalities import COMMON, NATIONALITIES, Nationality
from tandem.random_users.seeded import SeededRandom
from tandem.user.profile import Coordinates, Dated, Identity, Login, Name, Picture, Street, Timezone

VERSION = "1.4"

# Ages are those of this day, so that a user stays the same for ever.
_TODAY = datetime(2025, 1, 1, tzinfo=UTC)
_YEAR = timedelta(days=365.2425)
_PORTRAITS = "https://randomuser.me/api/portraits"
_PORTRAIT_COUNTS = {"men": 100, "women": 97}
# Letters that are not a Latin letter with an accent, U+0131 being the Turkish i without a dot.
_PLAIN_LETTERS = {"ß": "ss", "ø": "o", "æ": "ae", "\u0131": "i"}
# Left out of an e-mail: spaces, apostrophes (U+02BC is the Ukrainian one), and zero-width non-joiners.
_PLAIN = str.maketrans(_PLAIN_LETTERS | dict.fromkeys(" '\u02bc\u200c", ""))
_ACCENTS = dict.fromkeys(range(0x300, 0x370))  # Unicode's combining diacritical marks


class RandomLocation(msgspec.Struct, frozen=True, gc=False):
    """Where a person lives; the postcode is a number in some countries and text in others."""

    street: Street
    city: str
    state: str
    country: str
    postcode: int | str
    coordinates: Coordinates
    timezone: Timezone


class RandomUser(msgspec.Struct, frozen=True, gc=False):
    """One person."""

    gender: str
    name: Name
    location: RandomLocation
    email: str
    login: Login
    dob: Dated
    registered: Dated
    phone: str
    cell: str
    id: Identity
    picture: Picture
    nat: str


def random_user(seed: str, index: int) -> RandomUser:
    """The user with the number `index` (from 0) of `seed`: always the same one, with an e-mail of its own."""
    random = SeededRandom(f"{index}/{seed}")
    code, nationality = random.pick(NATIONALITIES)
    is_man = random.below(2) == 0
    name = _name(random, nationality, is_man=is_man)
    return RandomUser(
        gender="male" if is_man else "female",
        name=name,
        location=_location(random, nationality),
        email=f"{_mailbox(f'{name.first}.{name.last}')}.{index + 1}@example.com",
        login=_login(random),
        dob=_dated(random, 21, 79),
        registered=_dated(random, 2, 19),
        phone=random.fill(nationality.phone),
        cell=random.fill(nationality.cell),
        id=_identity(random, nationality),
        picture=_picture(random, "men" if is_man else "women"),
        nat=code,
    )


def random_users(seed: str, first: int, count: int) -> Iterator[RandomUser]:
    """The users with the numbers `first` to `first + count - 1` of `seed`, made one by one."""
    return (random_user(seed, index) for index in range(first, first + count))


def _name(random: SeededRandom, nationality: Nationality, *, is_man: bool) -> Name:
    if is_man:
        titles, firsts = nationality.male_titles or COMMON.male_titles, nationality.male
    else:
        titles, firsts = nationality.female_titles or COMMON.female_titles, nationality.female
    return Name(random.pick(titles), random.pick(firsts), random.pick(nationality.last))


def _location(random: SeededRandom, nationality: Nationality) -> RandomLocation:
    city, state = random.pick(nationality.cities)
    postcode = random.fill(nationality.postcode)
    is_text = nationality.postcode_is_text or not postcode.isdecimal()
    return RandomLocation(
        street=Street(1 + random.below(9_999), random.pick(nationality.streets)),
        city=city,
        state=state,
        country=nationality.country,
        postcode=postcode if is_text else int(postcode),
        coordinates=Coordinates(_degrees(random, 90), _degrees(random, 180)),
        timezone=Timezone(*random.pick(COMMON.timezones)),
    )


def _degrees(random: SeededRandom, limit: int) -> str:
    return f"{random.below(limit * 20_000) / 10_000 - limit:.4f}"


def _mailbox(name: str) -> str:
    """Latin letters without their accents, as randomuser.me has them; other scripts as they are."""
    mailbox = name.lower().translate(_PLAIN)
    folded = unicodedata.normalize("NFKD", mailbox).translate(_ACCENTS)
    return folded if folded.isascii() else mailbox


def _login(random: SeededRandom) -> Login:
    username = f"{random.pick(COMMON.adjectives)}{random.pick(COMMON.animals)}{100 + random.below(900)}"
    return Login(str(random.uuid()), username)


def _dated(random: SeededRandom, youngest: int, oldest: int) -> Dated:
    span = (oldest - youngest) * _YEAR
    ago = youngest * _YEAR + timedelta(milliseconds=random.below(span // timedelta(milliseconds=1)))
    moment = (_TODAY - ago).isoformat(timespec="milliseconds")
    return Dated(moment.replace("+00:00", "Z"), ago // _YEAR)


def _identity(random: SeededRandom, nationality: Nationality) -> Identity:
    if nationality.id is None:
        return Identity("", None)
    name, pattern = nationality.id
    return Identity(name, random.fill(pattern))


def _picture(random: SeededRandom, folder: str) -> Picture:
    portrait = f"{folder}/{random.below(_PORTRAIT_COUNTS[folder])}.jpg"
    return Picture(
        large=f"{_PORTRAITS}/{portrait}",
        medium=f"{_PORTRAITS}/med/{portrait}",
        thumbnail=f"{_PORTRAITS}/thumb/{portrait}",
    )
