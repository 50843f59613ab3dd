"""Where things are: the checkout, and the files that tests bring along."""

from pathlib import Path

SUPPORT = Path(__file__).parent
DATA = SUPPORT / "data"
ROOT = SUPPORT.parents[1]

#: Real answers of randomuser.me.
RANDOM_USER_ANSWERS = (DATA / "randomuser_v1.3.json", DATA / "randomuser_v1.4.json")

#: Stored events of every format that there ever was, a line each, with what today's programs make of it.
EVENTS = DATA / "events"
