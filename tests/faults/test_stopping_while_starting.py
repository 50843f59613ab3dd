"""SIGTERM counts from the first moment on, also while nothing answers and nothing is ready."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE

import pytest

SILENT = {
    "MONGODB_URL": "mongodb://127.0.0.1:{port}/tandem",
    "POSTGRES_URL": "postgresql://127.0.0.1:{port}/tandem",
}
PATIENCE = 20


@contextlib.asynccontextmanager
async def silent_server():
    """A server that takes connections and never says a word; its port, and when somebody has connected."""
    connected = asyncio.Event()

    async def keep_silent(reader, writer):
        connected.set()
        with contextlib.suppress(ConnectionError):
            await reader.read()
            await asyncio.Event().wait()

    server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], connected
    finally:
        server.close()


async def tandem(*arguments, port: int):
    urls = {name: url.format(port=port) for name, url in SILENT.items()}
    deadline = {"DATABASE_TIMEOUT_SECONDS": "600"}
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=PIPE, stderr=PIPE, env=os.environ | urls | deadline
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_instance_whose_databases_do_not_answer_ends_at_once(number):
    async with silent_server() as (port, connected):
        process = await tandem("-m", "tandem", "serve", port=port)
        await asyncio.wait_for(connected.wait(), PATIENCE)
        process.send_signal(number)
        output, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0, errors
    assert output == b""
    assert b"Traceback" not in errors


async def test_a_migration_that_is_told_to_stop_says_so_and_is_no_success():
    async with silent_server() as (port, connected):
        process = await tandem("-m", "tandem", "migrate", port=port)
        await asyncio.wait_for(connected.wait(), PATIENCE)
        process.terminate()
        _, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 130
    assert errors.startswith(b"Interrupted. Run it again")


@pytest.mark.parametrize("command", ["serve", "migrate"])
async def test_sigterm_is_handled_before_all_imports(command):
    """Unhandled it would end this process all the same (-15), but never the first one of a container."""
    process = await tandem("-X", "importtime", "-m", "tandem", command, port=1)
    async for line in process.stderr:
        if b" click" in line:
            break
    process.terminate()
    await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 143
