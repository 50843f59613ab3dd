"""A key pair in files, as an operator makes it with openssl."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from command_line import run_tandem


@dataclass(frozen=True)
class KeyPair:
    """The private key, and the public one that instances get."""

    private: Path
    public: Path

    async def token(self, *rights: str) -> str:
        """What `tandem token` prints."""
        options = [option for right in rights for option in ("--scope", right)]
        exit_code, printed = await run_tandem("token", "--key-file", str(self.private), *options)
        assert exit_code == 0, printed
        return printed.strip()

    async def bearer(self, *rights: str) -> dict[str, str]:
        """The header of a request."""
        return {"Authorization": f"Bearer {await self.token(*rights)}"}


@pytest.fixture(scope="session")
def key_pair(require_program: Callable[[str, str], str], new_lasting_place: Callable[[], Path]) -> KeyPair:
    """Made with the commands of docs/security.md."""
    openssl = require_program("openssl", "openssl")
    pair = KeyPair(new_lasting_place() / "tokens.pem", new_lasting_place() / "tokens.pub")
    for command in (
        ["genpkey", "-algorithm", "ed25519", "-out", pair.private],
        ["pkey", "-in", pair.private, "-pubout", "-out", pair.public],
    ):
        subprocess.run([openssl, *command], check=True, capture_output=True)
    return pair
