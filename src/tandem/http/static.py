"""Files as routes. They are read once, at the start: nothing that a request says can reach another file."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tandem.http.requests import Request, Response
from tandem.http.routes import Route
from tandem.http.security_headers import security_headers

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


def file_response(path: Path, policy: str, status: int = 200) -> Response:
    """The file as an answer, with this Content-Security-Policy."""
    media_type = _MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    return Response(status, path.read_bytes(), media_type, (), security_headers(policy, "no-cache"))


class StaticFile:
    """One file in memory, answered whole, or with 304 to a client that has it already."""

    def __init__(self, path: Path, policy: str) -> None:
        whole = file_response(path, policy)
        self._etag = f'"{hashlib.sha256(whole.body).hexdigest()[:32]}"'
        self._whole = replace(whole, headers=(("ETag", self._etag),))
        self._unchanged = replace(self._whole, status=304, body=b"")

    async def answer(self, request: Request[Any, Any, Any]) -> Response:
        """The endpoint."""
        known = request.header("If-None-Match")
        return self._unchanged if known and self._etag in known else self._whole


def static_routes(folder: Path, prefix: str, policy: str, index_paths: Iterable[str] = ()) -> list[Route]:
    """A route for each file below `folder`; `page.css` is served at `{prefix}/page.css`.

    Args:
        folder: holds files of ours, few and small. Symbolic links and hidden files are left out.
        prefix: without a slash at the end.
        policy: the Content-Security-Policy of its pages.
        index_paths: where else `index.html` is served.

    Raises:
        FileNotFoundError: there is no `index.html` although `index_paths` names places for it.
    """
    files = {
        f"{prefix}/{path.relative_to(folder).as_posix()}": StaticFile(path, policy)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    }
    for index_path in index_paths:
        files[index_path] = StaticFile(folder / "index.html", policy)
    return [
        Route("GET", path, file.answer, "A file", scope=None, documented=False)
        for path, file in files.items()
    ]
