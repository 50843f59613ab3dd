"""Projects that `tandem new` has made, on whole stacks: as they are, and as their readers change them."""

import json
import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from new_projects import Project, make_bank, make_project
from up_process import run_up

pytestmark = pytest.mark.slow

_USE = re.compile(r"^Use it.*?^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Gives each parcel a colour, those that are there already too.
WITH_COLOUR = [
    ("parcel.py", "    closed: bool = False\n", '    closed: bool = False\n    colour: str = "grey"\n'),
    (
        "parcel.py",
        "    title: Title\n\n\nclass Ren",
        '    title: Title\n    colour: Title = "grey"\n\n\nclass Ren',
    ),
    (
        "parcel.py",
        "    title: str\n\n\nclass ParcelRen",
        '    title: str\n    colour: str = "grey"\n\n\nclass ParcelRen',
    ),
    ("parcel.py", "ParcelOpened(command.title)", "ParcelOpened(command.title, command.colour)"),
    ("parcel.py", "return Parcel(event.title)", "return Parcel(event.title, colour=event.colour)"),
    ("__init__.py", '"closed": parcel.closed', '"closed": parcel.closed, "colour": parcel.colour'),
    (
        "parcel.sql",
        "title, closed)\nSELECT id, title, closed",
        "title, closed, colour)\nSELECT id, title, closed, colour",
    ),
    ("parcel.sql", "closed boolean)", "closed boolean, colour text)"),
]
COLUMN = """-- additive: yes
ALTER TABLE prm_parcel_head ADD COLUMN colour text NOT NULL DEFAULT 'grey';
CREATE OR REPLACE VIEW prm_parcel_state AS
SELECT parcel_id AS id, json_build_object('title', title, 'closed', closed, 'colour', colour) AS state
FROM prm_parcel_head;
"""


@pytest.fixture
def parcels(new_place) -> Project:
    return make_project(new_place(), "parcel", "parcels")


def up(project: Project, instances: int):
    """Its `tandem up`, on the data folder that it has by default."""
    where = {"cwd": project.folder, "env": os.environ | project.environment}
    return run_up(project.folder / ".tandem", "--instances", str(instances), **where)


def typed(project: Project, url: str) -> str:
    """Type what the README says, to the load balancer at `url`."""
    [block] = _USE.findall((project.folder / "README.md").read_text())
    script = block.replace("http://127.0.0.1:8080", url).replace("curl ", "curl -sS --fail-with-body ")
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def require_proved(project: Project, *options: str) -> None:
    mix = ("--mix", "create=60,update=40")
    done = project.run("tandem", "prove", "--aggregate", project.folder.name, *mix, *options)
    assert (done.returncode, "Proved" in done.stdout) == (0, True), done.stdout + done.stderr


def test_a_project_runs_and_goes_on_when_its_reader_has_changed_it(parcels, require_program):
    require_program("curl", "curl")
    with up(parcels, instances=1) as stack:
        assert "ParcelRenamed" in typed(parcels, stack.url)
    for file, old, new in WITH_COLOUR:
        parcels.change(f"parcels/{file}", old, new)
    (parcels.folder / "parcels" / "migrations" / "002_colour.sql").write_text(COLUMN)
    with up(parcels, instances=1) as stack:
        assert stack.get("/api/v1/parcel-command/1")[1]["state"] == {
            "title": "Second",
            "closed": False,
            "colour": "grey",
        }
        assert '"colour":"grey"' in typed(parcels, stack.url)
        require_proved(parcels, "--users", "200")


@pytest.fixture(scope="module")
def running_bank(new_place) -> Iterator[Project]:
    bank = make_bank(new_place())
    with up(bank, instances=3):
        yield bank


def test_the_bank_is_proved_while_its_servers_die(running_bank):
    require_proved(running_bank, "--fault", "kill-instance,kill-postgres,kill-mongodb", "--users", "600")


def test_the_bank_is_measured_beside_users(running_bank):
    load = ("--seconds", "1", "--rounds", "1", "--connections", "8", "--json", "bench.json")
    done = running_bank.run("tandem", "bench", "--aggregate", "accounts", *load)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((running_bank.folder / "bench.json").read_text())
    assert len(report["measurements"]) == 2  # accounts, and users that are as large
    assert all(one["statuses"] == {"201": one["users"]} for one in report["measurements"])
