"""Tables read back as they were meant, and no spreadsheet computes what stands in them."""

import csv
import os

import pytest

from lensnet.csv_tables import (
    name_as_text,
    name_from_text,
    read_dicts,
    read_table,
    restore_cell,
    writing_table,
)

# What a spreadsheet computes, or takes for a number, where a name is meant.
FORMULAS = ("=1+1", "+cmd|1!A0", "-2+3", "+5", "-inf", "@SUM(1)", "\tx", "\rx", "\n=1", " =1")
FORMULAS += ("\uff1d1",)
PLAIN = ("a=b", "'quoted'", "'", "", "two\nlines", "a\rb", 'a "b", c', "µ")
AS_IF_GUARDED = ("'=1", "''=1", "'-x", "'-5", "'\tx")


def test_no_cell_is_a_formula_and_all_read_back(tmp_path):
    cells = [*FORMULAS, *PLAIN, *AS_IF_GUARDED]
    with writing_table(tmp_path / "a.csv", ["=column", "place"]) as table:
        table.rows((cell, place) for place, cell in enumerate(cells))
    with open(tmp_path / "a.csv", encoding="utf-8", newline="") as file:
        written = list(csv.reader(file))
    assert written[0] == ["'=column", "place"] and len(written) == 1 + len(cells)
    for cell, place in written[1:]:
        assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n")
        assert (cell == cells[int(place)]) == (cell in PLAIN)
    rows = list(read_dicts(tmp_path / "a.csv"))
    assert [row["=column"] for row in rows] == cells
    assert [restore_cell(cell) for cell, _ in written[1:]] == cells


def test_numbers_and_gaps(tmp_path):
    """Text is a number only where that is what the column holds."""
    with writing_table(tmp_path / "a.csv", ["a", "b", "c", "d"], ["c", "d"]) as table:
        table.row([-0.5, None, "-7.25e-3", "-1+1"])
    assert (tmp_path / "a.csv").read_text() == "a,b,c,d\n-0.5,,-7.25e-3,'-1+1\n"
    assert list(read_table(tmp_path / "a.csv"))[1] == ["-0.5", "", "-7.25e-3", "-1+1"]


@pytest.mark.parametrize(
    "name",
    [
        b"\xff.npy",
        b"a\xfe\xffb",
        "héllo".encode(),
        rb"\xff",
        rb"\x5cxff",
        b"\\\xff",
        rb"C:\dir\new",
    ],
)
def test_names_of_any_bytes_read_back(name):
    text = name_as_text(os.fsdecode(name))
    assert text.encode().decode() == text
    assert os.fsencode(name_from_text(text)) == name


def test_names_stay_apart():
    """A byte and the text that stands for it are two names."""
    names = [os.fsdecode(name) for name in (b"\xff", rb"\xff", rb"\x5cxff", rb"\x5c\xff")]
    assert len({name_as_text(name) for name in names}) == len(names)
    assert name_as_text(r"plots\new") == r"plots\new"


def test_a_table_is_whole_or_not_there(tmp_path):
    with pytest.raises(RuntimeError), writing_table(tmp_path / "a.csv", ["a"]) as table:
        table.row(["1"])
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
