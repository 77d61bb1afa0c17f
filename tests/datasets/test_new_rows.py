"""A run that was trained by a table scores the images of other tables."""

import csv

import brightness_network
import keras
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from planned_inputs import read_inputs

from lensnet.data import Preprocessing, prepare
from lensnet.datasets.fits_catalog.options import Options
from lensnet.errors import DataError
from lensnet.prediction import Predictor, score_files
from lensnet.prediction.scoring.score_request import ScoredRun


def pixels(index, band):
    return np.random.default_rng([index, band]).normal(size=(9, 9)).astype(">f4")


def write_table(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path, shape, options, source_dir="training"):
    found = read_inputs([path], shape, "fits_catalog", options, source_dir)
    return {item.id: item for item in found}


@pytest.fixture
def survey(tmp_path):
    """Thirty objects with a file a band, and a table that says nothing of their classes."""
    folder = tmp_path / "new"
    (folder / "images").mkdir(parents=True)
    rows = []
    for index in range(30):
        row = {"name": f"J{index}"}
        for band, word in enumerate("gr"):
            row[word] = f"images/J{index}_{word}.fits"
            fits.PrimaryHDU(pixels(index, band)).writeto(folder / row[word])
        rows.append(row)
    write_table(folder / "objects.csv", rows)
    return folder


TWO_BANDS = Options(
    label_column="kind",
    classes=["a", "b"],
    group_column="pair",
    id_column="name",
    file_columns=["r", "g"],
)


@pytest.mark.parametrize("table", ["objects.csv", "objects.fits", "."])
def test_rows_without_a_label(survey, table):
    if table == "objects.fits":
        Table.read(survey / "objects.csv", format="csv").write(survey / table)
    found = read(survey / table, (9, 9, 2), TWO_BANDS)
    assert list(found) == [f"J{index}" for index in range(30)]
    for index in (0, 17):
        expected = np.stack([pixels(index, 1), pixels(index, 0)], axis=-1)
        np.testing.assert_array_equal(found[f"J{index}"].image, expected)
    files = [str(survey / "images" / f"J3_{band}.fits") for band in "rg"]
    assert found["J3"].path == ";".join(files)


def test_bad_rows_have_their_reasons(survey):
    rows = list(csv.DictReader(open(survey / "objects.csv")))
    rows[1]["g"] = "images/gone.fits"
    rows[2]["g"] = ""
    rows[3]["name"] = "J0"
    write_table(survey / "objects.csv", rows)
    fits.PrimaryHDU(np.ones((5, 5))).writeto(survey / "images" / "J4_r.fits", overwrite=True)
    for name in ("J5_r.fits", "J5_g.fits"):
        image = np.random.default_rng(0).random((8, 8))
        fits.PrimaryHDU(image).writeto(survey / "images" / name, overwrite=True)
    found = read_inputs([survey / "objects.csv"], (9, 9, 2), "fits_catalog", TWO_BANDS)
    reasons = {place: item.error.reason for place, item in enumerate(found) if item.error}
    assert reasons == {
        1: "gone.fits: there is no such file",
        2: 'no file in the column "g"',
        4: "J4_g.fits: shape (9, 9), but J4_r.fits has (5, 5)",
        5: "shape (8, 8, 2), the network takes (9, 9, 2)",
    }
    # Here two rows may be one object: each has its score.
    assert [found[0].id, found[3].id] == ["J0", "J0"] and found[3].image is not None


def test_what_only_a_table_can_say(survey):
    (item,) = read(survey / "images" / "J0_g.fits", (9, 9, 2), TWO_BANDS).values()
    assert item.error.reason == "shape (9, 9, 1), the network takes (9, 9, 2)"
    with pytest.raises(DataError, match=r"holds 0 \.csv or \.tsv files"):
        read(survey / "images", (9, 9, 2), TWO_BANDS)
    with pytest.raises(DataError, match='no column "band_r"'):
        options = TWO_BANDS.model_copy(update={"file_columns": ["band_r", "g"]})
        read(survey / "objects.csv", (9, 9, 2), options)


def test_images_and_tables_side_by_side(survey):
    """Where an image is one file, everything that could be one is taken as such."""
    options = Options(label_column="kind", file_columns=["g"])
    inputs = [survey / "images" / "J2_g.fits", survey / "objects.csv", survey / "images"]
    found = read_inputs(inputs, (9, 9, 1), "fits_catalog", options)
    assert len(found) == 1 + 30 + 60 and all(item.error is None for item in found)
    for place in (0, 1 + 2):
        np.testing.assert_array_equal(found[place].image[..., 0], pixels(2, 0))


# --- mosaics --------------------------------------------------------------------------------------


@pytest.fixture
def field(tmp_path):
    """A mosaic of the sky, and a table of labelled positions on it."""
    folder = tmp_path / "training"
    folder.mkdir()
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [150.0, 2.0], [60, 60], [-5e-5, 5e-5]
    random = np.random.default_rng(0)
    sky = random.normal(size=(120, 120)).astype(">f4")
    sky[20, 20] = np.nan
    fits.PrimaryHDU(sky, wcs.to_header()).writeto(folder / "sky.fits")
    places = random.uniform(40, 100, (40, 2))
    places[0] = (20, 20)
    positions = wcs.pixel_to_world(*places.T).icrs
    rows = [
        {"name": f"o{i}", "ra": float(p.ra.deg), "dec": float(p.dec.deg), "lens": i % 2}
        for i, p in enumerate(positions)
    ]
    write_table(folder / "positions.csv", rows)
    return folder


CUTS = {"id_column": "name", "label_column": "lens", "mosaics": ["sky.fits"], "size_pixels": 9}


@pytest.fixture
def experiment(field, make_experiment):
    splits = {"train": 0.4, "validation": 0.3, "test": 0.3}
    return make_experiment(
        "fits_catalog", "binary", source_dir=field, options=CUTS, splits=splits, seed=1
    )


@pytest.mark.parametrize("beside", [True, False], ids=["mosaic beside", "mosaic of training"])
def test_positions_are_cut_out_as_in_training(field, experiment, tmp_path, read_back, beside):
    records = read_back(prepare(experiment))
    rows = [
        {key: row[key] for key in ("name", "ra", "dec")}
        for row in csv.DictReader(open(field / "positions.csv"))
    ]
    (tmp_path / "new").mkdir()
    table = write_table((field if beside else tmp_path / "new") / "unseen.csv", rows)
    found = read(table, (9, 9, 1), experiment.dataset_options, field)
    assert len(found) == len(records) == 40
    for name, record in records.items():
        np.testing.assert_array_equal(found[name].image, record.image)
    assert found["o0"].filled == 1 and found["o1"].filled == 0
    if not beside:
        with pytest.raises(DataError, match="There is no mosaic"):
            read(table, (9, 9, 1), experiment.dataset_options, tmp_path / "gone")


def test_a_table_is_scored(field, experiment, tmp_path, monkeypatch, caplog):
    """The whole way, by a network that gives the mean of an image."""
    layers = [keras.Input((9, 9, 1)), keras.layers.GlobalAveragePooling2D()]
    predictor = Predictor(
        keras.Sequential(layers), Preprocessing((9, 9, 1)), ("0", "1"), experiment
    )
    monkeypatch.setattr(Predictor, "open", lambda run: predictor)
    run = brightness_network.make_run(tmp_path / "run")
    scored = ScoredRun(run, experiment, (9, 9, 1), ("0", "1"))
    monkeypatch.setattr(ScoredRun, "open", lambda run: scored)
    table = field / "positions.csv"
    with open(table, "a") as file:
        file.write("off,151.0,2.0,0\nnowhere,ten,2.0,0\n")
    assert score_files(run, [table], tmp_path / "scores.csv", batch_size=16) == 40
    rows = list(csv.DictReader(open(tmp_path / "scores.csv")))
    assert len(rows) == 42
    assert {"id", "tile", "ra", "dec", "predicted", "score_0", "score_1", "status"} <= set(rows[0])
    good, bad = rows[:40], rows[40:]
    assert [row["filled_pixels"] for row in good] == ["1"] + ["0"] * 39
    assert {row["tile"] for row in good} == {"sky"}
    # Images scaled to 0..1 have their mean between.
    assert all(0 < float(row["score_1"]) < 1 for row in good)
    assert [row["id"] for row in bad] == ["off", "nowhere"]
    assert all(row["status"] != "ok" and not row["score_1"] for row in bad)
    assert "2 images have no score" in caplog.text and "in 1 of the images" in caplog.text
