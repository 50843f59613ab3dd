"""Settings whose values stand in files, so that no process list and no `docker inspect` shows them."""

from pathlib import Path

import pytest

from tandem.config import SettingsError, load_settings

URLS = {"POSTGRES_URL": "postgresql://tandem@db/tandem", "MONGODB_URL": "mongodb://db/tandem"}


@pytest.fixture
def files(tmp_path):
    """Both URLs in files; the environment that names them."""
    environ = {}
    for name, value in URLS.items():
        path = tmp_path / name
        path.write_text(f"{value}\n")
        path.chmod(0o400)
        environ[f"{name}_FILE"] = str(path)
    return environ


def test_urls_come_from_files(files):
    settings = load_settings(files)
    assert (settings.postgres_url, settings.mongodb_url) == tuple(URLS.values())


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640])
def test_owner_and_group_may_read_a_secret(files, mode):
    Path(files["POSTGRES_URL_FILE"]).chmod(mode)
    assert load_settings(files).postgres_url == URLS["POSTGRES_URL"]


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o777])
def test_a_secret_that_others_may_read_is_refused_with_the_remedy(files, mode):
    Path(files["POSTGRES_URL_FILE"]).chmod(mode)
    with pytest.raises(SettingsError, match=rf"^POSTGRES_URL_FILE: others .*mode {mode:04o}.*chmod o= /"):
        load_settings(files)


def test_a_file_that_is_missing_is_named(files):
    files["MONGODB_URL_FILE"] = "/nowhere/url"
    with pytest.raises(SettingsError, match=r"^MONGODB_URL_FILE: /nowhere/url cannot be read \(No such file"):
        load_settings(files)


def test_a_folder_is_no_file(files, tmp_path):
    files["MONGODB_URL_FILE"] = str(tmp_path)
    with pytest.raises(SettingsError, match=r"cannot be read \(Is a directory\)"):
        load_settings(files)


@pytest.mark.parametrize("content", [b"", b"\n", b"one\ntwo\n", b"\xff\xfe", b"x" * 100_000])
def test_what_is_not_one_line_is_refused_without_being_shown(files, tmp_path, content):
    path = tmp_path / "strange"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=r"^POSTGRES_URL_FILE: \S+ is to hold one line, the value of"):
        load_settings(files | {"POSTGRES_URL_FILE": str(path)})


def test_a_value_and_a_file_for_it_contradict_each_other(files):
    with pytest.raises(SettingsError, match="POSTGRES_URL and POSTGRES_URL_FILE are both set"):
        load_settings(files | {"POSTGRES_URL": URLS["POSTGRES_URL"]})


def test_without_either_both_ways_are_named():
    with pytest.raises(SettingsError, match=r"^POSTGRES_URL is not set\. .*POSTGRES_URL_FILE"):
        load_settings({})


def test_a_url_for_traces_may_be_in_a_file_as_well(files, tmp_path):
    path = tmp_path / "traces"
    path.write_text("https://user:password@collector/v1/traces")
    path.chmod(0o600)
    assert load_settings(files | {"TRACES_URL_FILE": str(path)}).traces_url.startswith("https://user:")


def test_a_file_of_cells_needs_to_be_told_which_of_them_this_is(files):
    with pytest.raises(SettingsError, match=r"^CELLS_FILE lists all cells, and CELL does not say"):
        load_settings(files | {"CELLS_FILE": "/etc/tandem/cells.json"})
    assert load_settings(files | {"CELLS_FILE": "/etc/tandem/cells.json", "CELL": "0"}).cell == 0
