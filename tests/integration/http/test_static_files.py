"""Files that are served: the page, and what it needs."""

import pytest

from tandem.http.security_headers import content_security_policy
from tandem.http.static import static_routes


@pytest.fixture
async def client(serving, tmp_path):
    folder = tmp_path / "page"
    (folder / "img").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "main.js").write_text("export {};")
    (folder / "img" / "a b.svg").write_text("<svg/>")
    (folder / ".secret").write_text("hidden")
    (tmp_path / "outside.txt").write_text("outside")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    policy = content_security_policy(connect="https://randomuser.me")
    async with serving(static_routes(folder, "/client", policy, index_paths=["/"])) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "media_type", "content"),
    [
        ("/", "text/html; charset=utf-8", "<!doctype html>"),
        ("/client/index.html", "text/html; charset=utf-8", "<!doctype html>"),
        ("/client/main.js?v=1", "text/javascript; charset=utf-8", "export {};"),
        ("/client/img/a%20b.svg", "image/svg+xml", "<svg/>"),
    ],
)
async def test_a_file_is_served_with_its_type(client, path, media_type, content):
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (200, media_type, content)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/client/../outside.txt",
        "/client/%2e%2e/outside.txt",
        "/client/..%2foutside.txt",
        "/client//etc/passwd",
        "/client/link.txt",
        "/client/.secret",
        "/client/img",
        "/client/img/",
        "/client/",
    ],
)
async def test_nothing_but_the_files_of_the_folder_is_served(client, path):
    assert (await client.get(path)).status_code == 404


async def test_a_file_that_the_browser_has_is_not_sent_again(client):
    etag = (await client.get("/client/main.js")).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}'):
        answer = await client.get("/client/main.js", headers={"if-none-match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    changed = await client.get("/client/main.js", headers={"if-none-match": '"other"'})
    assert changed.status_code == 200


async def test_a_page_may_load_only_its_own_files_and_what_is_named(client):
    policy = (await client.get("/")).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "connect-src 'self' https://randomuser.me;" in policy
    assert "unsafe-inline" not in policy
