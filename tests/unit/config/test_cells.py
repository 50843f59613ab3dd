"""The file that lists all cells."""

import zlib

import msgspec
import pytest

from tandem.config import SettingsError
from tandem.config.cells import SLOTS, Cell, CellsFile, WatchedCells, read_cells, slot_of
from tandem.ids import FIRST_ID_OF_CELLS, HIGHEST_ID, cell_of
from tandem.mongodb.client import is_url

TWO = [Cell(number, "postgresql://db/tandem", "mongodb://db/tandem") for number in (0, 7)]
SHARED = [[0], [0, 7]] * (SLOTS // 2)


@pytest.fixture
def write(tmp_path):
    """Writes the file; the path of it."""

    def write(content, mode=0o640):
        path = tmp_path / "cells.json"
        path.write_bytes(content if isinstance(content, bytes) else msgspec.json.encode(content))
        path.chmod(mode)
        return path

    return write


def test_cells_are_read_as_they_were_written(write):
    found = read_cells(write(CellsFile(TWO, SHARED)), is_url)
    assert found.by_number[7] == TWO[1]
    assert found.slots[1] == [0, 7]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "truncated"),
        ({"cells": []}, "slots"),
        (CellsFile(TWO, SHARED[1:]), "1023 entries instead of 1024"),
        (CellsFile([*TWO, TWO[0]], SHARED), "two cells have one number"),
        (CellsFile(TWO[:1], SHARED), "names cell 7, which is not among"),
        (CellsFile(TWO, [[], *SHARED[1:]]), "length >= 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(write, content, why):
    with pytest.raises(SettingsError, match=f"^CELLS_FILE: .*{why}"):
        read_cells(write(content), is_url)


@pytest.mark.parametrize(
    ("postgres_url", "mongodb_url", "why"),
    [
        ("nonsense", "mongodb://db/tandem", "postgres_url. of cell 9"),
        ("http://db/tandem", "mongodb://db/tandem", "postgres_url. of cell 9"),
        ("postgresql://me:s3cret@db:1,db:x/tandem", "mongodb://db/tandem", "postgres_url. of cell 9"),
        ("postgresql://db:99999/tandem", "mongodb://db/tandem", "postgres_url. of cell 9"),
        ("postgresql://db/tandem", "mongodb://me:s3cret@a:b", "mongodb_url. of cell 9"),
        ("postgresql://db/tandem", "mongodb://me:s3cret@db/tandem?foo=1", "mongodb_url. of cell 9"),
        ("postgresql://db/tandem", "mongodb://db/tandem?tlsCAFile=/nowhere", "mongodb_url. of cell 9"),
    ],
)
def test_a_url_of_no_server_is_refused_and_not_shown(write, postgres_url, mongodb_url, why):
    content = CellsFile([*TWO, Cell(9, postgres_url, mongodb_url)], SHARED)
    with pytest.raises(SettingsError, match=why) as refused:
        read_cells(write(content), is_url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("postgres_url", "mongodb_url"),
    [
        ("postgres://me:a%40b@a:1,b:2/tandem?sslmode=require", "mongodb://me:p@a:1,b:2/tandem?replicaSet=r"),
        ("postgresql:///tandem?host=/run/postgresql", "mongodb+srv://db.example/tandem"),
        ("postgresql://[::1]:5432/tandem", "mongodb://[::1]:27017/tandem"),
    ],
)
def test_urls_of_several_hosts_of_sockets_and_of_ipv6_are_taken(write, postgres_url, mongodb_url):
    read_cells(write(CellsFile([*TWO, Cell(9, postgres_url, mongodb_url)], SHARED)), is_url)


def test_a_file_that_others_may_read_is_refused(write):
    with pytest.raises(SettingsError, match=r"mode 0644.*chmod o= "):
        read_cells(write(CellsFile(TWO, SHARED), mode=0o644), is_url)


def replace(path, content, mode=0o640):
    """Replace it as whoever adds a cell does."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.chmod(mode)
    new.rename(path)


def test_a_file_that_is_replaced_is_read_again(write):
    path = write(CellsFile(TWO[:1], [[0]] * SLOTS))
    watched = WatchedCells(path, is_url)
    assert not watched.look()
    replace(path, msgspec.json.encode(CellsFile(TWO, SHARED)))
    assert watched.look()
    assert watched.latest == CellsFile(TWO, SHARED)
    assert not watched.look()


def test_a_bad_file_leaves_what_was_said_before_and_is_logged_once(write, caplog):
    path = write(CellsFile(TWO, SHARED))
    watched = WatchedCells(path, is_url)
    replace(path, b"{")
    assert not watched.look()
    assert not watched.look()
    path.unlink()
    assert not watched.look()
    assert watched.latest == CellsFile(TWO, SHARED)
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "truncated" in caplog.text
    replace(path, msgspec.json.encode(CellsFile(TWO, [[0]] * SLOTS)))
    assert watched.look()


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere.json cannot be read \(No such file"):
        read_cells(tmp_path / "nowhere.json", is_url)


@pytest.mark.parametrize("key", ["a", "order-17", "x" * 128])
def test_a_slot_is_what_every_crc32_says(key):
    assert slot_of(key) == zlib.crc32(key.encode("ascii")) % 1024


@pytest.mark.parametrize(
    ("id_", "cell"),
    [(1, 0), (9_999, 0), (FIRST_ID_OF_CELLS - 1, 0), (FIRST_ID_OF_CELLS + 7, 7), (HIGHEST_ID, 991)],
)
def test_an_id_names_its_cell(id_, cell):
    # An id below the first of the cells was given before there were any, by what is cell 0 now.
    assert cell_of(id_) == cell
    assert 0 <= cell_of(id_) <= 9_999
