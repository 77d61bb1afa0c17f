"""Inputs of all kinds become rows of partitions, and these the images that the user meant."""

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from mosaic_files import write_mosaic
from PIL import Image

from lensnet.config import Experiment
from lensnet.data import read_image
from lensnet.errors import ConfigurationError, DataError, RunError
from lensnet.prediction.planning import InputOptions, Plan, check_inputs, parse_size, plan

SIDE = 8
SHAPE = (SIDE, SIDE, 1)


def experiment(dataset="image_folder", **data):
    return Experiment.model_validate(
        {
            "name": "asked",
            "task": "binary",
            "data": {"dataset": dataset, "source_dir": "images", **data},
            "model": {"backbone": "resnet18"},
        }
    )


def made(tmp_path, inputs, shape=SHAPE, run=None, rows=8192, **options):
    return plan(
        run or experiment(),
        shape,
        inputs,
        tmp_path / "parts",
        rows=rows,
        options=InputOptions(**options),
    )


def loaded(found):
    """Returns the rows of a plan in their order, and what each has loaded."""
    both = []
    for number in range(found.partitions):
        rows = found.partition(number)
        both += zip(rows.to_pylist(), found.load(rows), strict=True)
    both.sort(key=lambda pair: pair[0]["row"])
    return [row for row, _ in both], [one for _, one in both]


def pixels(seed, shape=(SIDE, SIDE)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def reasons(images):
    return [None if one.error is None else one.error.reason for one in images]


def test_files_folders_patterns_and_lists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for seed, name in enumerate(("deep/a.npy", "deep/er/b.npy", "c;1.npy", "d.npy")):
        np.save(tmp_path / name, pixels(seed))
    (tmp_path / "deep" / "bad.npy").write_bytes(b"")
    Image.fromarray((pixels(9) * 30 + 99).astype(np.uint8)).save(tmp_path / "e.jpg")
    (tmp_path / "list.txt").write_text("# mine\nd.npy\n\ngone.npy\n")
    inputs = ["deep", "c;1.npy", "@list.txt", "*.jpg"]
    found = made(tmp_path, inputs, rows=3)
    rows, images = loaded(found)
    assert found.lengths == [3, 3, 1] and found.rows == 7
    assert [row["row"] for row in rows] == list(range(7))
    ids = ["a", "bad", "er/b", "c;1", "d", "gone", "e"]
    assert [row["id"] for row in rows] == ids
    assert [row["file"] for row in rows[:4:3]] == ["deep/a.npy", "c\\x3b1.npy"]
    assert reasons(images) == [
        None,
        "the file is empty",
        *[None] * 3,
        "there is no such file",
        None,
    ]
    for place, seed in ((0, 0), (2, 1), (3, 2), (4, 3)):
        np.testing.assert_array_equal(images[place].image[..., 0], pixels(seed))
    np.testing.assert_array_equal(images[-1].image, read_image("e.jpg"))


def test_stacks_of_all_kinds(tmp_path):
    cube = pixels(1, (12, SIDE, SIDE))
    np.save(tmp_path / "X.npy", cube)
    fits.PrimaryHDU(cube + 100).writeto(tmp_path / "cube.fits")
    fits.PrimaryHDU(cube[3]).writeto(tmp_path / "one.fits")
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file.create_dataset("images", data=cube[:5, None] + 200, chunks=(2, 1, SIDE, SIDE))
    names = ["X.npy", "cube.fits", "one.fits", "s.h5"]
    rows, images = loaded(made(tmp_path, [tmp_path / name for name in names]))
    assert [row["index"] for row in rows] == [*range(12), *range(12), None, *range(5)]
    assert rows[14]["file"] == f"{tmp_path / 'cube.fits'}[2]"
    expected = [*cube, *cube + 100, cube[3], *cube[:5] + 200]
    for one, wanted in zip(images, expected, strict=True):
        np.testing.assert_array_equal(one.image[..., 0], wanted)


def test_a_cube_of_few_planes_is_one_image_of_several_bands(tmp_path):
    cube = pixels(1, (5, SIDE, SIDE))
    fits.PrimaryHDU(cube).writeto(tmp_path / "bands.fits")
    np.save(tmp_path / "bands.npy", cube)
    _, images = loaded(made(tmp_path, [tmp_path / "bands.fits", tmp_path / "bands.npy"], (8, 8, 5)))
    for one in images:
        np.testing.assert_array_equal(one.image, np.moveaxis(cube, 0, -1))


@pytest.mark.parametrize("ending", ["csv", "fits", "parquet", "vot", "ecsv"])
def test_a_table_of_files_carries_its_columns(tmp_path, ending):
    np.save(tmp_path / "a.npy", pixels(1))
    np.save(tmp_path / "b.npy", pixels(2))
    table = Table({"ObjID": ["007", "x y"], "File": ["a.npy", "b.npy"], "mag": [20.5, 21.5]})
    table["mag"].unit = "mag"
    formats = {"csv": "ascii.csv", "vot": "votable", "ecsv": "ascii.ecsv"}
    table.write(tmp_path / f"t.{ending}", format=formats.get(ending))
    found = made(tmp_path, [tmp_path / f"t.{ending}"])
    rows, images = loaded(found)
    assert [row["id"] for row in rows] == ["007", "x y"]
    assert [row["input_mag"] for row in rows] == [20.5, 21.5]
    assert found.carried.names == ["ObjID", "File", "mag"]
    if ending != "csv":
        assert found.carried.field("mag").metadata == {b"unit": b"mag"}
        assert found.content["carried"][2] == {"name": "mag", "type": "double", "unit": "mag"}
    for one, seed in zip(images, (1, 2), strict=True):
        np.testing.assert_array_equal(one.image[..., 0], pixels(seed))


def test_bad_rows_of_a_table_are_rows(tmp_path):
    np.save(tmp_path / "a.npy", pixels(1))
    lines = [
        "id,file,note",
        "1,a.npy,x",
        "2,,y",
        "3,gone.npy,z",
        "4,a.npy",
        "1,a.npy,twice",
        ",a.npy,",
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    rows, images = loaded(made(tmp_path, [tmp_path / "t.csv"]))
    assert [row["id"] for row in rows] == ["1", "2", "3", "4", "1", "t.csv row 6"]
    assert reasons(images) == [
        None,
        'no file in the column "file"',
        "there is no such file",
        "t.csv line 5: it has 2 cells, where the header has 3",
        None,
        None,
    ]
    assert [row["input_note"] for row in rows] == ["x", "y", "z", None, "twice", None]


def test_tables_that_name_no_images_say_what_to_do(tmp_path):
    (tmp_path / "t.csv").write_text("name,RA,DEC\na,10,20\n")
    with pytest.raises(DataError, match="--file-column .* or --mosaics"):
        made(tmp_path, [tmp_path / "t.csv"])
    write_mosaic(tmp_path / "m.fits", 10, 20)
    with pytest.raises(DataError, match='no column "rra". Did you mean "RA"'):
        made(tmp_path, [tmp_path / "t.csv"], mosaics=(str(tmp_path / "m.fits"),), ra_column="rra")
    with pytest.raises(ConfigurationError, match="--size is 9 pixels"):
        made(tmp_path, [tmp_path / "t.csv"], mosaics=("m.fits",), size=parse_size("9"))


def test_positions_are_cut_out_of_the_tiles_that_hold_them_whole(tmp_path):
    """As cutouts made by hand, pixel for pixel, whatever the order of the rows."""
    for column, ra in enumerate((359.97, 0.0, 0.03)):
        for row, dec in enumerate((-0.03, 0.0)):
            write_mosaic(tmp_path / f"t{column}{row}.fits", ra, dec, scale=3.6)
    rng = np.random.default_rng(0)
    ra, dec = rng.uniform(-0.045, 0.045, 300) % 360, rng.uniform(-0.045, 0.015, 300)
    catalogue = Table({"RAJ2000": ra, "DEJ2000": dec, "source_id": np.arange(300)})
    catalogue.write(tmp_path / "objects.fits")
    found = made(
        tmp_path, [tmp_path / "objects.fits"], rows=40, mosaics=(str(tmp_path / "t*.fits"),)
    )
    rows, images = loaded(found)
    assert [row["id"] for row in rows] == [str(number) for number in range(300)]
    assert sum(one.error is None for one in images) == 300
    assert {row["tile"] for row in rows} == set(range(6))
    for row, one in zip(rows[:60], images, strict=False):
        (path, _), *_ = found.tiles[row["tile"]].files
        with fits.open(path) as hdus:
            x, y = WCS(hdus[0].header).all_world2pix(row["ra"], row["dec"], 0)
            left, low = (int(np.ceil(place - SIDE / 2)) for place in (x, y))
            expected = hdus[0].data[low : low + SIDE, left : left + SIDE]
        np.testing.assert_array_equal(one.image[..., 0], expected)


def test_positions_that_have_no_image_say_why(tmp_path, caplog):
    write_mosaic(tmp_path / "g1.fits", 150, 2)
    write_mosaic(tmp_path / "r1.fits", 150, 2)
    write_mosaic(tmp_path / "g2.fits", 151, 2)
    lines = [
        "10:00:00 +02:00:00",
        "151 2",
        "170 2",
        "150 95",
        "10h 2",
        "150 2.0053",
        " 2",
    ]
    text = "\n".join(["ra\tdec", *(line.replace(" ", "\t") for line in lines)])
    (tmp_path / "o.tsv").write_text(text)
    pattern = str(tmp_path / "{band}[0-9].fits")
    found = made(tmp_path, [tmp_path / "o.tsv"], (8, 8, 2), mosaics=(pattern,), bands=("g", "r"))
    rows, images = loaded(found)
    assert reasons(images) == [
        None,
        "tile 2: r2.fits: there is no such file",
        "outside all of the 2 tiles",
        'its position is "150", "95", not right ascension and declination',
        'its position is "10h", "2", not right ascension and declination',
        "the cutout reaches over the edge of tile 1, and no other holds it whole",
        "it has no position",
    ]
    assert (rows[0]["ra"], rows[0]["dec"]) == (150, 2)
    assert rows[0]["id"] == "10:00:00 +02:00:00"


def test_one_zero_point_for_all_tiles(tmp_path):
    image = pixels(3, (40, 40))
    write_mosaic(tmp_path / "a.fits", 10, 0, pixels=image, MAGZERO=30.0)
    write_mosaic(tmp_path / "b.fits", 20, 0, pixels=image, MAGZERO=30.0)
    write_mosaic(tmp_path / "c.fits", 30, 0, pixels=image, MAGZERO=27.5)
    (tmp_path / "o.csv").write_text("ra,dec\n10,0\n30,0\n")
    _, (one, other) = loaded(
        made(tmp_path, [tmp_path / "o.csv"], mosaics=(str(tmp_path / "*.fits"),))
    )
    np.testing.assert_allclose(other.image, 10 * one.image, rtol=1e-6)


def test_partitions_are_by_tile_and_no_row_is_lost(tmp_path, monkeypatch):
    """Also where rows go to disk in several parts, and one tile has more than a partition."""
    from lensnet.prediction.planning import partition_writing

    monkeypatch.setattr(partition_writing, "_HELD_ROWS", 300)
    monkeypatch.setattr(partition_writing, "_HELD_BYTES", 20000)
    monkeypatch.setattr(partition_writing, "_MOST_BUCKETS", 3)
    for number in range(5):
        write_mosaic(tmp_path / f"t{number}.fits", 10.0 + number, 0)
    rng = np.random.default_rng(1)
    number = np.where(rng.random(2000) < 0.5, 2, rng.integers(0, 6, 2000))
    lines = [f"{place},{10 + tile},0" for place, tile in enumerate(number)]
    (tmp_path / "o.csv").write_text("\n".join(["id,ra,dec", *lines]))
    found = made(tmp_path, [tmp_path / "o.csv"], rows=100, mosaics=(str(tmp_path / "*.fits"),))
    tables = [found.partition(place) for place in range(found.partitions)]
    assert sorted(row for table in tables for row in table["row"].to_pylist()) == list(range(2000))
    of_tile = {}
    for place, table in enumerate(tables):
        assert table.num_rows <= 150
        for tile, row in zip(table["tile"].to_pylist(), table["row"].to_pylist(), strict=True):
            assert tile == (None if number[row] == 5 else number[row])
            if tile is not None:
                of_tile.setdefault(tile, {}).setdefault(place, []).append(row)
    for tile, places in of_tile.items():
        rows = [row for place in sorted(places) for row in places[place]]
        assert rows == sorted(rows)
        assert len(places) <= -(-len(rows) // 100) + 1
        assert list(places) == list(range(min(places), max(places) + 1)), tile
    assert not (tmp_path / "parts" / "buckets").exists()


def test_a_plan_is_whole_or_none(tmp_path):
    np.save(tmp_path / "a.npy", pixels(1))
    made(tmp_path, [tmp_path / "a.npy"])
    assert Plan.open(tmp_path / "parts").rows == 1
    with pytest.raises(DataError):
        made(tmp_path, [tmp_path / "gone.npy"])
    with pytest.raises(RunError, match="no whole plan"):
        Plan.open(tmp_path / "parts")
    assert not list((tmp_path / "parts").glob("*.parquet"))


def test_what_holds_no_image_is_refused_before_a_model_is_loaded(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(DataError, match="notes.txt is not an image.* as @notes.txt"):
        check_inputs(experiment(), [tmp_path / "notes.txt"])
    with pytest.raises(DataError, match="There is no file or folder"):
        check_inputs(experiment(), [tmp_path / "gone.npy"])
    with pytest.raises(DataError, match="pattern"):
        check_inputs(experiment(), [tmp_path / "*.npy"])
    check_inputs(experiment(), [tmp_path / "notes.txt", tmp_path])


def test_parquet_partitions_can_be_read_by_others(tmp_path):
    np.save(tmp_path / "a.npy", pixels(1))
    made(tmp_path, [tmp_path / "a.npy"])
    names = pq.read_schema(tmp_path / "parts" / "rows-00000.parquet").names
    assert names == ["row", "id", "file", "problem", "ra", "dec", "tile", "index"]
