"""Tables of all formats, read in pieces: values, types, units, missing values, faulty rows."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from lensnet.data.tables import open_table, problems_of, read_table
from lensnet.errors import DataError

FORMATS = {
    "objects.fits": "fits",
    "objects.ecsv": "ascii.ecsv",
    "objects.vot": "votable",
    "objects.parquet": "parquet",
}


def objects():
    """Five objects with a unit, a description, a masked magnitude and ids with zeros in front."""
    table = Table()
    table["id"] = [f"{number:04d}" for number in range(5)]
    table["ra"] = np.array([359.99, 0.01, 10.5, 20.25, 30.125]) * units.deg
    table["ra"].description = "right ascension"
    table["mag"] = MaskedColumn([20.5, 21, 22, 23, 24], mask=[0, 1, 0, 0, 0], unit=units.mag)
    table["count"] = MaskedColumn([1, 2, 3, 4, 5], mask=[0, 0, 1, 0, 0])
    return table


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_values_units_and_nulls(tmp_path, name):
    path = tmp_path / name
    objects().write(path, format=FORMATS[name])
    if name == "objects.fits":  # as TOPCAT writes it; astropy leaves it out
        fits.setval(path, "TCOMM2", value="right ascension", ext=1)
    found = open_table(path)
    assert found.column_names == ("id", "ra", "mag", "count")
    pieces = list(found.pieces(rows=2))
    assert [piece.num_rows for piece in pieces] == [2, 2, 1]
    whole = pa.concat_tables(pieces)
    assert whole["id"].to_pylist() == ["0000", "0001", "0002", "0003", "0004"]
    assert whole["ra"].to_pylist() == [359.99, 0.01, 10.5, 20.25, 30.125]
    assert whole["mag"].to_pylist() == [20.5, None, 22, 23, 24]
    assert whole["count"].to_pylist() == [1, 2, None, 4, 5]
    metadata = found.schema.field("ra").metadata
    assert metadata == {b"unit": b"deg", b"description": b"right ascension"}
    assert found.schema.field("mag").metadata[b"unit"] == b"mag"
    assert whole.schema == found.schema


def test_numbers_are_found_over_the_whole_of_a_column(tmp_path):
    path = tmp_path / "objects.csv"
    lines = ["id;z;name;gaia;first"]
    lines += [f"{number};+0.5;{number};{2**60 + number};7" for number in range(300)]
    lines += ["0012;1e-3;NGC 5;17;007", ";nan;;;8"]
    path.write_text("\n".join(lines))
    table = read_table(path)
    types = dict(zip(table.column_names, table.schema.types, strict=True))
    assert types == {
        "id": pa.string(),
        "z": pa.float64(),
        "name": pa.string(),
        "gaia": pa.int64(),
        "first": pa.string(),
    }
    assert table.num_rows == 302
    assert table.slice(299).to_pylist() == [
        {"id": "299", "z": 0.5, "name": "299", "gaia": 2**60 + 299, "first": "7"},
        {"id": "0012", "z": 0.001, "name": "NGC 5", "gaia": 17, "first": "007"},
        {"id": None, "z": None, "name": None, "gaia": None, "first": "8"},
    ]


def test_whole_numbers_that_double_precision_would_round_stay_text(tmp_path):
    path = tmp_path / "objects.csv"
    path.write_text("id,n\n1152921504606846977,1\n0.5,2\n")
    assert read_table(path)["id"].to_pylist() == ["1152921504606846977", "0.5"]


def test_a_line_of_another_length_is_a_faulty_row_and_moves_no_other(tmp_path):
    path = tmp_path / "objects.csv"
    path.write_text('id,ra,note\n# a remark\n1,10,"a, ""b""\nc"\n2,20\n\n,,\n3,30,x,y\n4,40,z\n')
    table = read_table(path)
    assert table["id"].to_pylist() == [1, 2, 3, 4]
    assert table["ra"].to_pylist() == [10, 20, 30, 40]
    assert table["note"].to_pylist() == ['a, "b"\nc', None, "x", "z"]
    problems = problems_of(table)
    assert list(problems) == [1, 2]
    assert problems[1] == "objects.csv line 5: it has 2 cells, where the header has 3"
    assert problems[2].startswith("objects.csv line 8: it has 4 cells")


QUOTED = ['"a,b",1', '"say ""x""",2', "plain,3", '5" wide,4', '" padded ",5', '"",6', "'=A1,7"]


@pytest.mark.parametrize("others", [[], ['x, "8"'], ['"two\nlines",9']], ids=["", "blank", "lines"])
def test_quotes_mean_the_same_however_a_piece_is_read(tmp_path, others):
    """Python's reader is used where a quote needs it, for whole pieces."""
    path = tmp_path / "objects.csv"
    path.write_text("\n".join(["name,n", *QUOTED, *others]) + "\n")
    expected = ["a,b", 'say "x"', "plain", '5" wide', "padded", None, "=A1"]
    table = read_table(path)
    assert table["name"].to_pylist()[:7] == expected
    assert table["n"].to_pylist()[:7] == [1, 2, 3, 4, 5, 6, 7]
    assert table.num_rows == 7 + len(others)


def test_pieces_of_one_row_are_those_of_the_whole(tmp_path):
    path = tmp_path / "objects.csv"
    path.write_text('id,note\n1,"two\nlines"\n2,plain\n3,"q"\n4,\n')
    whole = read_table(path)
    pieces = list(open_table(path).pieces(rows=1))
    assert pa.concat_tables(pieces).to_pylist() == whole.to_pylist()
    assert len(pieces) == 4


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("id,name\n1,Größe\n".encode("latin-1"), "Gr\\xf6\\xdfe"),
        ("\ufeffid,name\n1,Größe\n".encode(), "Größe"),
        ("id\tname\n1\tGröße\n".encode("utf-16"), "Größe"),
    ],
    ids=["latin-1", "utf-8 with a mark", "utf-16"],
)
def test_encodings(tmp_path, content, expected):
    path = tmp_path / "objects.csv"
    path.write_bytes(content)
    assert read_table(path).to_pylist() == [{"id": 1, "name": expected}]


def test_a_quote_that_is_left_open_is_named_with_its_line(tmp_path):
    path = tmp_path / "objects.csv"
    path.write_text('id,name\n1,a\n2,"b\n' + "3,c\n" * 40000)
    with pytest.raises(DataError, match="line 3: .*quote"):
        read_table(path)


def test_masked_columns_of_a_fits_table(tmp_path):
    columns = [
        fits.Column("n", "J", array=[1, -99, 3], null=-99),
        fits.Column("flag", "L", array=[True, False, True]),
        fits.Column("vector", "2E", array=[[1, 2], [3, np.nan], [5, 6]]),
        fits.Column("name", "8A", array=["a", "", "c  "]),
        fits.Column("big", "K", array=np.array([2**63 + 1, 2, 3], np.uint64), bzero=2**63),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "objects.fits")
    table = read_table(tmp_path / "objects.fits")
    assert table.to_pydict() == {
        "n": [1, None, 3],
        "flag": [True, False, True],
        "vector": [[1, 2], [3, None], [5, 6]],
        "name": ["a", None, "c"],
        "big": [2**63 + 1, 2, 3],
    }


def test_a_hats_catalogue_is_read_in_order_without_what_describes_it(tmp_path):
    folder = tmp_path / "survey" / "dataset"
    for pixel, ids in ((4, [1, 2]), (7, [3])):
        below = folder / "Norder=1" / "Dir=0"
        below.mkdir(parents=True, exist_ok=True)
        columns = {"id": ids} if pixel == 4 else {"id": ids, "mag": [20.5]}
        pq.write_table(pa.table(columns), below / f"Npix={pixel}.parquet")
    pq.write_metadata(pa.schema([("id", pa.int64())]), folder / "_common_metadata")
    (tmp_path / "survey" / "properties").write_text("obs_collection=survey\n")
    table = read_table(tmp_path / "survey")
    assert table.to_pydict() == {"id": [1, 2, 3], "mag": [None, None, 20.5]}


@pytest.mark.parametrize("name", ["objects.csv", "objects.fits", "objects.vot", "objects.parquet"])
def test_what_is_no_table_is_said_in_words(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"" if name.endswith("csv") else b"no table of this kind")
    with pytest.raises(DataError, match="objects"):
        read_table(path)


def test_units_of_a_parquet_file_of_the_virtual_observatory(tmp_path):
    path = tmp_path / "objects.parquet"
    objects().write(
        path,
        format="parquet.votable",
        metadata={name: {"unit": "deg" if name == "ra" else ""} for name in objects().colnames},
    )
    assert open_table(path).schema.field("ra").metadata[b"unit"] == b"deg"
