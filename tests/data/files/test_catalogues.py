"""Tables are read row by row, and what is wrong with one is said."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from lensnet.data.files.catalogues import label_name, open_catalogue
from lensnet.errors import DataError


@pytest.mark.parametrize(
    "text",
    [
        "id,label\na,0\nb,1\n",
        "\ufeffid,label\r\na,0\r\nb,1\r\n",
        "# made by hand\nid , label\n\na, 0\n# between\nb,1 ",
        'id,label\n"a",0\n"b","1"',
        "id;label\na;0\nb;1\n",
        "id\tlabel\na\t0\nb\t1\n",
        "sep=;\r\nid;label\r\na;0\r\nb;1\r\n",
        'id, label\n"a", "0"\n"b", "1"\n',
        "#id,label\na,0\nb,1\n",
        "# made by hand, in 2024\n# id, label\na, 0\nb, 1\n",
        "# the objects, as numbered\nid,label\na,0\nb,1\n",
        "id,label\na,0,\nb,1,\n",
    ],
    ids=[
        "plain",
        "from Windows",
        "comments and spaces",
        "quoted",
        "semicolons",
        "tabs",
        "separator told",
        "quotes after a blank",
        "header as a comment",
        "header as the last comment",
        "a comment like a header",
        "separators at the end",
    ],
)
def test_csv_as_people_write_it(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8", newline="")
    table = open_catalogue(path)
    assert table.columns == ("id", "label")
    for _ in range(2):  # as often as one likes
        rows = list(table.rows())
        assert [row.cells for row in rows] == [
            {"id": "a", "label": "0"},
            {"id": "b", "label": "1"},
        ]
        assert [row.problem for row in rows] == [None, None]


@pytest.mark.parametrize(
    ("text", "columns", "cells"),
    [
        # The names asked for tell a header, where both lines could be one.
        ("#file,kind\na.npy,lens\n", ("file", "kind"), {"file": "a.npy", "kind": "lens"}),
        ("# a, b\nfile,kind\na.npy,lens\n", ("file", "kind"), {"file": "a.npy", "kind": "lens"}),
        # As pandas and R number rows.
        (",file\n0,a.npy\n", ("", "file"), {"": "0", "file": "a.npy"}),
        ("file,z\n1,a.npy,2\n2,b.npy,3\n", ("", "file", "z"), {"file": "a.npy", "z": "2"}),
        ("file,z,,\na.npy,2\n", ("file", "z", "", ""), {"file": "a.npy", "z": "2"}),
        # A comma inside a cell of a table with semicolons.
        ("file;z, fitted\na.npy;2\n", ("file", "z, fitted"), {"file": "a.npy", "z, fitted": "2"}),
        # What lensnet itself writes to keep a name from being a formula.
        ("file,kind\n'=a.npy,lens\n", ("file", "kind"), {"file": "=a.npy", "kind": "lens"}),
    ],
)
def test_headers_of_all_kinds(tmp_path, text, columns, cells):
    (tmp_path / "table.csv").write_text(text)
    table = open_catalogue(tmp_path / "table.csv", ["file", "kind"])
    assert table.columns == columns
    row = next(table.rows())
    assert row.problem is None and {name: row.cells[name] for name in cells} == cells
    assert row.cell(None) == ""  # whatever the first column is called


def test_a_cell_too_many_shifts_none(tmp_path):
    """A decimal comma, or a comma in a note, is a fault that is named."""
    (tmp_path / "table.csv").write_text("file,z\na.npy,0,5\nb.npy,0,7\n")
    for row in open_catalogue(tmp_path / "table.csv").rows():
        assert row.problem == (
            'it has 3 cells, where the header has 2: a cell that holds a "," must stand in quotes, '
            "and each column needs a name"
        )
        assert row.cells["file"].endswith(".npy")


def test_lines_are_counted_as_an_editor_does(tmp_path):
    (tmp_path / "table.csv").write_text('# 1\nid,note\n# 3\na,x\n"b","two\nlines"\nc\n')
    rows = list(open_catalogue(tmp_path / "table.csv").rows())
    assert [row.place for row in rows] == [f"table.csv line {line}" for line in (4, 6, 7)]
    assert rows[2].problem == "it has 1 cells, where the header has 2"


def test_fits_tables_are_read_as_text(tmp_path):
    table = Table(
        {
            "name": ["J1", "J2 "],
            "code": [b"x", b"y"],
            "count": np.array([3, -4], np.int16),
            "mass": np.array([0.1, np.nan]),
            "good": [True, False],
            "image": np.zeros((2, 4)),
        }
    )
    table.write(tmp_path / "table.fits")
    found = open_catalogue(tmp_path / "table.fits")
    assert found.columns == ("name", "code", "count", "mass", "good", "image")
    assert [(row.place, row.cells) for row in found.rows()] == [
        (
            "table.fits row 1",
            {"name": "J1", "code": "x", "count": "3", "mass": "0.1", "good": "True"},
        ),
        (
            "table.fits row 2",
            {"name": "J2", "code": "y", "count": "-4", "mass": "", "good": "False"},
        ),
    ]


def masked_columns():
    """Three rows, the second of which says nothing but its number."""
    mask = [False, True, False]
    return Table(
        {
            "row": [1, 2, 3],
            "count": MaskedColumn([7, 8, 9], mask=mask, fill_value=-99),
            "byte": MaskedColumn(np.array([7, 8, 9], np.uint8), mask=mask, fill_value=255),
            "mass": MaskedColumn([7.0, 8.0, 9.0], mask=mask),
            "name": MaskedColumn(["7", "8", "9"], mask=mask),
        }
    )


def test_what_is_masked_is_missing(tmp_path):
    """In every kind of table, whatever number or text stands for it."""
    table = masked_columns()
    table.write(tmp_path / "binary.fits")
    table.write(tmp_path / "table.csv", format="ascii.csv")
    (tmp_path / "words.csv").write_text(
        "row,count,byte,mass,name\n1,7,7,7.0,7\n2,NaN,NA,<NA>,null\n3,9,9,9.0,9\n"
    )
    # A text table of FITS: one column says what masks, the other is left blank.
    text = fits.TableHDU.from_columns(
        [
            fits.Column("count", "I5", null="---", array=np.array([7, 8, 9])),
            fits.Column("mass", "F8.1", array=np.array([7.0, 8.0, 9.0])),
        ]
    )
    text.writeto(tmp_path / "text.fits")
    content = (tmp_path / "text.fits").read_bytes()
    assert content.count(b"    8     8.0") == 1
    (tmp_path / "text.fits").write_bytes(content.replace(b"    8     8.0", b"  ---        "))
    for name in ("binary.fits", "table.csv", "words.csv", "text.fits"):
        rows = [dict(row.cells) for row in open_catalogue(tmp_path / name).rows()]
        assert [row.pop("row", None) for row in rows] in (["1", "2", "3"], [None] * 3)
        assert set(rows[1].values()) == {""}, name
        assert {float(cell) for cell in rows[0].values()} == {7.0}, name
        assert {float(cell) for cell in rows[2].values()} == {9.0}, name


def test_a_fits_column_without_a_name(tmp_path):
    """The standard does not ask for names."""
    Table({"first": [1, 2], "name": ["a", "b"]}).write(tmp_path / "table.fits")
    content = (tmp_path / "table.fits").read_bytes()
    start = content.index(b"TTYPE1")
    (tmp_path / "table.fits").write_bytes(content[:start] + b" " * 80 + content[start + 80 :])
    table = open_catalogue(tmp_path / "table.fits")
    assert table.columns == ("col1", "name")
    assert [row.cells for row in table.rows()] == [
        {"col1": "1", "name": "a"},
        {"col1": "2", "name": "b"},
    ]


def test_masks_are_of_the_numbers_as_stored(tmp_path):
    """Unsigned integers are stored with an offset, and TNULL is one before it is added."""
    stored = np.array([5, 32768 - 99, 7], np.uint16)
    column = fits.Column("count", "I", bzero=32768, null=-99, array=stored)
    flag = fits.Column("flag", "L", array=np.array([True, False, True]))
    fits.BinTableHDU.from_columns([column, flag]).writeto(tmp_path / "table.fits")
    content = (tmp_path / "table.fits").read_bytes()
    # The standard's sign for an unknown logical value is a byte of zero.
    start = 2880 * 2
    while content[start : start + 3] != (5 - 32768).to_bytes(2, "big", signed=True) + b"T":
        start += 2880
    content = content[: start + 8] + b"\0" + content[start + 9 :]
    (tmp_path / "table.fits").write_bytes(content)
    rows = [row.cells for row in open_catalogue(tmp_path / "table.fits").rows()]
    assert rows == [
        {"count": "5", "flag": "True"},
        {"count": "", "flag": "False"},
        {"count": "7", "flag": ""},
    ]


def test_a_number_is_one_label_however_written():
    texts = ("0", "0.0", "-0.0", "0.", "0e0", "0.000000000000000000e+00")
    assert {label_name(text) for text in texts} == {"0"}
    # What only looks like one keeps its name.
    for text in ("no", "1_000", "007", "inf", "0x10", "1.2.3"):
        assert label_name(text) == text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.csv", b"", "is empty"),
        ("table.csv", b"a,b,a\n", 'more than one column "a"'),
        ("table.csv", b"a,b\n\xff\xfe,1\n", "is not UTF-8 text: save it as such"),
        ("table.csv", "a,b\n1,2\n".encode("utf-16"), "is not UTF-8 text: save it as such"),
        ("table.fits", b"SIMPLE", "cannot be read"),
        ("table.txt", b"a,b\n", r"is not one of \.csv, \.tsv, \.fits"),
        ("table.csv", None, "does not exist"),
    ],
    ids=["empty", "doubled", "Latin 1", "UTF-16", "damaged", "ending", "missing"],
)
@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
def test_what_is_no_table(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(open_catalogue(tmp_path / name).rows())


@pytest.mark.parametrize("name", ["table.fits", "table.csv"])
@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
@pytest.mark.filterwarnings("ignore::UserWarning:astropy")
def test_changed_tables_are_read_or_refused(tmp_path, name):
    """Whatever bytes are changed, in headers or below."""
    table = masked_columns()
    table.write(tmp_path / name)
    original = (tmp_path / name).read_bytes()
    random = np.random.default_rng(len(name))
    outcomes = set()
    for _ in range(150):
        content = bytearray(original)
        for _ in range(random.integers(1, 6)):
            place = random.integers(min(len(content), 3 * 2880))
            content[place] = random.choice(list(b"0123456789-;,\n#=\t '\"\xff\0AIJKL"))
        (tmp_path / name).write_bytes(content)
        try:
            list(open_catalogue(tmp_path / name).rows())
            outcomes.add("read")
        except DataError as error:
            assert "\n" not in str(error)
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_an_image_is_no_table(tmp_path):
    fits.writeto(tmp_path / "image.fits", np.ones((5, 5)))
    with pytest.raises(DataError, match="holds no table"):
        open_catalogue(tmp_path / "image.fits")


def test_a_column_that_is_not_there(tmp_path):
    (tmp_path / "table.csv").write_text("ID,is_lens\n")
    table = open_catalogue(tmp_path / "table.csv")
    assert table.need("ID", "options.x") == "ID"
    with pytest.raises(DataError, match='no column "is_lense". Did you mean "is_lens".*options.x'):
        table.need("is_lense", "options.x")
