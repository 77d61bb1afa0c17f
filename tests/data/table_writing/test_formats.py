"""Tables that are written in pieces read back by astropy with their values, types and units."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io.votable import validate
from astropy.table import Table

from lensnet.csv_tables import read_dicts
from lensnet.data.table_writing import (
    ENDINGS,
    TableContent,
    check_ending,
    check_own_table,
    write_table_file,
)
from lensnet.errors import ConfigurationError, DataError, RunError

ABOUT = {"lensnet": "1.0", "run": "runs/<é>"}
EVIL = '<b>"x", &y;\n\x01é'


def content(rows=5, pieces=2):
    """Every type that a catalogue brings, each with a cell that is not known."""
    columns = {
        "id": pa.array(["0012", "=1+1", EVIL, "", "e"], pa.string()),
        "file": pa.array(["a.npy", None, "c.npy", "d.npy", "e" * 40], pa.string()),
        "ra": pa.array([359.99999999999994, None, 0.1, 1e-300, 5.0], pa.float64()),
        "score": pa.array([0.1, 1.0, None, 0.33333334, 1e-30], pa.float32()),
        "count": pa.array([1, None, -3, 4, 2**40], pa.int64()),
        "flags": pa.array([255, 0, None, 1, 2], pa.uint8()),
        "small": pa.array([-128, 127, 1, 2, 3], pa.int8()),
        "is_lens": pa.array([True, False, None, True, True], pa.bool_()),
        "band": pa.array(["g", "r", "g", None, "g"]).dictionary_encode(),
        "seen": pa.array([datetime.datetime(2026, 1, 2, 3, 4, 5)] * 4 + [None]),
        "fluxes": pa.array([[1.0, 2.0], [3.0], None, [], [4.5]]),
    }
    metadata = {
        "ra": {"unit": "deg", "description": "right ascension, ICRS"},
        "count": {"unit": "adu"},
    }
    table = pa.table(columns)
    schema = pa.schema([one.with_metadata(metadata.get(one.name)) for one in table.schema])
    table = table.cast(schema).slice(0, rows)
    cut = [table.slice(at, pieces) for at in range(0, rows, pieces)]
    return TableContent(schema, rows, lambda: iter(cut), ABOUT)


FORMATS = {".fits": "fits", ".ecsv": "ascii.ecsv", ".vot": "votable"}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ending", FORMATS)
def test_astropy_reads_what_was_written(tmp_path, ending):
    path = tmp_path / f"scores{ending}"
    write_table_file(path, content())
    table = Table.read(path, format=FORMATS[ending])
    assert len(table) == 5
    assert str(table["ra"].unit) == "deg" and str(table["count"].unit) == "adu"
    assert table["ra"].description == "right ascension, ICRS" or ending == ".fits"
    assert np.ma.getdata(table["ra"])[[0, 2, 3]].tolist() == [359.99999999999994, 0.1, 1e-300]
    assert not np.isfinite(np.ma.filled(table["ra"], np.nan)[1])
    assert table["score"].dtype == np.dtype(">f4" if ending == ".fits" else "f4")
    assert np.ma.getdata(table["score"])[3] == np.float32(0.33333334)
    assert table["count"].dtype.kind == "i" and table["count"].dtype.itemsize == 8
    for name, at in (("count", 1), ("flags", 2)):
        assert np.ma.getmaskarray(table[name]).nonzero()[0].tolist() == [at]
    assert int(table["count"][4]) == 2**40 and int(table["flags"][0]) == 255
    assert table["small"].tolist() == [-128, 127, 1, 2, 3]
    assert [bool(table["is_lens"][at]) for at in (0, 1, 3)] == [True, False, True]
    texts = [str(text) for text in np.ma.filled(table["id"], "")]
    assert texts[:2] == ["0012", "=1+1"] and texts[4] == "e" and texts[2].startswith('<b>"x", &y;')
    assert str(table["band"][0]) == "g" and str(table["seen"][0]).startswith("2026-01-02 03:04:05")
    assert str(table["fluxes"][0]) == "[1.0, 2.0]"
    check_own_table(path)


def test_csv_keeps_digits_and_runs_no_formula(tmp_path):
    write_table_file(tmp_path / "scores.csv", content())
    assert ",'=1+1," in f",{(tmp_path / 'scores.csv').read_text()}".replace("\n", ",")
    rows = list(read_dicts(tmp_path / "scores.csv"))
    assert [row["id"] for row in rows] == ["0012", "=1+1", EVIL, "", "e"]
    assert [row["ra"] for row in rows] == ["359.99999999999994", "", "0.1", "1e-300", "5"]
    assert [row["score"] for row in rows][:4] == ["0.1", "1", "", "0.33333334"]
    assert [row["is_lens"] for row in rows] == ["True", "False", "", "True", "True"]


def test_parquet_keeps_arrows_types_and_astropys_units(tmp_path):
    path = tmp_path / "scores.parquet"
    write_table_file(path, content())
    table = pq.read_table(path)
    assert table.num_rows == 5 and pa.types.is_list(table.schema.field("fluxes").type)
    assert table.schema.field("ra").metadata[b"unit"] == b"deg"
    assert b"unit: deg" in table.schema.metadata[b"table_meta_yaml"]
    check_own_table(path)


def test_the_votable_is_valid(tmp_path, capsys):
    path = tmp_path / "scores.xml"
    write_table_file(path, content())
    assert validate(path, xmllint=False), capsys.readouterr().out


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_table_without_rows(tmp_path, ending):
    path = tmp_path / f"scores{ending}"
    write_table_file(path, content(rows=0))
    check_own_table(path)
    if ending in FORMATS:
        table = Table.read(path, format=FORMATS[ending])
        assert len(table) == 0 and table.colnames == content().schema.names


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_lensnet_has_not_written_is_left_alone(tmp_path, ending):
    path = tmp_path / f"thesis{ending}"
    path.write_bytes(b"three years of work")
    with pytest.raises(RunError, match="is not a table that lensnet has written"):
        check_own_table(path)


def test_other_endings_and_numbers_too_large(tmp_path):
    with pytest.raises(ConfigurationError, match=r"does not end with .csv.*\.parquet"):
        check_ending(tmp_path / "scores.txt")
    large = pa.table({"healpix": pa.array([2**63 + 1], pa.uint64())})
    with pytest.raises(DataError, match="healpix has numbers above"):
        write_table_file(tmp_path / "s.fits", TableContent(large.schema, 1, lambda: iter([large])))
    assert not list(tmp_path.iterdir())
