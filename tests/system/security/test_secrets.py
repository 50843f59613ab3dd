"""What must not be seen: passwords and tokens in process lists, logs, answers and files; people in logs."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from command_line import finished, run_tandem
from up_process import Up, run_up

PERSON = "olivia.wexford@mail.example"
# In all that is printed of it, and escaped as in a URL.
PASSWORD = "b%40ttery-staple"
MEANT = ("b%40ttery-staple", "b@ttery-staple")


@pytest.fixture(scope="module")
def stack(new_place) -> Iterator[Up]:
    """A running stack that has created somebody."""
    with run_up(new_place() / "data") as running:
        assert running.post_user(PERSON, "secrets")[0] == 201
        yield running


@pytest.fixture(scope="module")
def secrets(stack) -> list[bytes]:
    """Everything that the stack has made up for itself."""
    memory = json.loads((stack.data_dir / "memory.json").read_bytes())
    return [value.encode() for name, value in memory.items() if name.endswith(("_password", "_key"))]


def folders_of(stack: Up) -> set[Path]:
    """The data folder, and where its servers are: as root perhaps elsewhere."""
    places = (Path(psutil.Process(pid).cwd()) for pid in stack.pids().values())
    return {stack.data_dir, *(place for place in places if place != Path("/"))}


def files_below(folders: set[Path]) -> set[Path]:
    return {path for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_no_command_line_has_a_secret(stack, secrets):
    assert len(secrets) >= 5
    lines = [" ".join(psutil.Process(pid).cmdline()).encode() for pid in stack.all_processes()]
    assert any(b"serve" in line for line in lines)
    assert [line for line in lines for secret in secrets if secret in line] == []


def test_no_log_has_a_secret_or_a_person(stack, secrets):
    logs = [path.read_bytes() for path in (stack.data_dir / "logs").iterdir()]
    assert len(logs) >= 5
    hidden = (*secrets, PERSON.encode(), b"olivia")
    assert [word for word in hidden for log in logs if word in log] == []


def test_a_file_with_a_secret_is_for_its_owner_only(stack, secrets):
    holding = [
        path for path in files_below(folders_of(stack)) if any(word in path.read_bytes() for word in secrets)
    ]
    assert stack.data_dir / "memory.json" in holding
    assert [path for path in holding if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_others_get_into_no_folder_of_the_stack(stack):
    open_to_others = [path for path in folders_of(stack) if stat.S_IMODE(path.stat().st_mode) & 0o007]
    assert open_to_others == []


def test_the_status_shows_passwords_only_to_who_asks_for_them(stack, secrets):
    plain = finished("status", "--data-dir", stack.data_dir).stdout.encode()
    asked_for = finished("status", "--data-dir", stack.data_dir, "--json").stdout.encode()
    assert [secret for secret in secrets if secret in plain] == []
    assert [secret for secret in secrets if secret in asked_for]


@pytest.mark.parametrize("command", [("serve",), ("migrate", "--wait", "0")], ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("POSTGRES_URL", f"postgresql://tandem:{PASSWORD}@127.0.0.1:1/none"),
        ("POSTGRES_URL", f"postgresql://tandem:{PASSWORD}@127.0.0.1:port/none"),
        ("POSTGRES_URL", f"postgres//tandem:{PASSWORD}@127.0.0.1"),
        ("POSTGRES_URL", f"postgresql://tandem:{PASSWORD}@[::1/none"),
        ("MONGODB_URL", f"mongodb://tandem:{PASSWORD}@127.0.0.1:port/none"),
        ("MONGODB_URL", f"mongo//tandem:{PASSWORD}@127.0.0.1/none"),
        ("MONGODB_URL", f"mongodb://tandem:{PASSWORD}%@127.0.0.1/none"),
        ("MONGODB_URL", f"mongodb://tandem:{PASSWORD}:x@127.0.0.1/none"),
    ],
)
async def test_a_url_that_cannot_be_used_is_named_without_its_password(servers, command, variable, url):
    good = {"POSTGRES_URL": servers.postgres_owner_url, "MONGODB_URL": servers.mongodb_owner_url}
    environment = good | {variable: url, "PORT": "1"}
    exit_code, said = await run_tandem(*command, **environment)
    assert exit_code == 1
    assert said.startswith("Error: ")
    assert "Traceback" not in said
    assert [word for word in MEANT if word in said] == []


async def test_an_instance_logs_no_token(serve, key_pair):
    served = await serve("locked", TOKEN_KEYS_FILE=str(key_pair.public))
    for headers in (await key_pair.bearer("query"), {"Authorization": "Bearer not-a-token-at-all"}):
        for path in ("/api/v1/user-query", "/api/v1/stats", f"/api/v1/user-query/email?email={PERSON}"):
            await served.client.get(path, headers=headers)
        token = headers["Authorization"].removeprefix("Bearer ")
        assert token not in served.log.read_text()
    assert PERSON not in served.log.read_text()
