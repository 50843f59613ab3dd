"""Swagger UI at `/api`, from files of our own: it works with the network cut."""

from pathlib import Path

from tandem.http.routes import Route
from tandem.http.security_headers import content_security_policy
from tandem.http.static import static_routes

_FOLDER = Path(__file__).parent / "swagger_ui"


def swagger_routes() -> list[Route]:
    """`GET /api` and the files that it needs; it shows the document at `/api-json`."""
    policy = content_security_policy(images="data:")  # Swagger UI's icons
    return static_routes(_FOLDER, "/api", policy, index_paths=("/api", "/api/"))
