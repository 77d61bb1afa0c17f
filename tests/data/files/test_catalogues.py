"""Tables are read row by row, and what is wrong with one is said."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from lensnet.data.files.catalogues import open_catalogue
from lensnet.errors import DataError


@pytest.mark.parametrize(
    "text",
    [
        "id,label\na,0\nb,1\n",
        "\ufeffid,label\r\na,0\r\nb,1\r\n",
        "# made by hand\nid , label\n\na, 0\n# between\nb,1 ",
        'id,label\n"a",0\n"b","1"',
    ],
    ids=["plain", "from Windows", "comments and spaces", "quoted"],
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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.csv", b"", "is empty"),
        ("table.csv", b"a,b,a\n", 'more than one column "a"'),
        ("table.csv", b"a,b\n\xff\xfe,1\n", "cannot be read"),
        ("table.fits", b"SIMPLE", "cannot be read"),
        ("table.txt", b"a,b\n", r"is not one of \.csv, \.fits"),
        ("table.csv", None, "does not exist"),
    ],
    ids=["empty", "doubled", "binary", "damaged", "ending", "missing"],
)
@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyWarning")
def test_what_is_no_table(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(open_catalogue(tmp_path / name).rows())


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
