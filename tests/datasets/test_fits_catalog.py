"""Images that a table names: files, their extensions, and what is wrong with rows."""

import csv
import os

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from catalogue_files import write_table
from PIL import Image

from lensnet.config import Experiment
from lensnet.config.dataset import DatasetOptions
from lensnet.config.problems import problems
from lensnet.csv_tables import name_as_text, writing_table
from lensnet.data import prepare
from lensnet.datasets.fits_catalog.catalogue_source import CatalogueSource
from lensnet.datasets.fits_catalog.options import Options
from lensnet.errors import DataError
from lensnet.training.batches import as_learned


def pixels(index, band, size=9):
    return np.random.default_rng([index, band]).normal(size=(size, size)).astype(">f4")


# --- files named in columns -----------------------------------------------------------------------


@pytest.fixture
def survey(tmp_path):
    """Thirty objects with a file a band."""
    (tmp_path / "source" / "images").mkdir(parents=True)
    rows = []
    for index in range(30):
        row = {"name": f"J{index}", "kind": "abc"[index % 3], "z": 0.1 * index, "pair": index // 2}
        for band, word in enumerate("gr"):
            row[word] = f"images/J{index}_{word}.fits"
            fits.PrimaryHDU(pixels(index, band)).writeto(tmp_path / "source" / row[word])
        rows.append(row)
    write_table(tmp_path / "source" / "objects.csv", rows)
    return tmp_path / "source"


BANDS = {"file_columns": ["r", "g"]}


def test_a_file_column_for_each_band(survey, prepare_catalogue, read_back):
    data = prepare_catalogue(survey, label_column="kind", id_column="name", **BANDS)
    assert data.classes == ("a", "b", "c") and data.native_shape == (9, 9, 2)
    records = read_back(data)
    assert len(records) == 30 and data.quarantine == ()
    for index in range(30):
        record = records[f"J{index}"]
        expected = np.stack([pixels(index, 1), pixels(index, 0)], axis=-1)
        np.testing.assert_array_equal(record.image, expected)
        assert record.value == "abc"[index % 3]
        assert record.file == f"images/J{index}_r.fits;images/J{index}_g.fits"


def test_numbers_are_kept_with_each_image_and_weigh_it(survey, make_experiment, read_back):
    data = prepare(
        make_experiment(
            "fits_catalog",
            "regression",
            source_dir=survey,
            options={"target_column": "pair", "number_columns": ["z"], "file_columns": ["r"]},
            example_weights="z",
            augmentation=[],
        )
    )
    records = read_back(data)
    assert len(records) == 30
    for name, record in records.items():
        number = int(name.removeprefix("images/J").removesuffix("_r"))
        assert record.metadata == {"z": pytest.approx(0.1 * number)}
    weights = dict(zip(data.examples("train").ids, data.training_weights, strict=True))
    z = np.array([records[name].metadata["z"] for name in weights])
    np.testing.assert_allclose(list(weights.values()), z / z.mean(), rtol=1e-6)
    known = {
        records[name].image.tobytes(): (records[name].value, weights[name]) for name in weights
    }
    raw = dict(zip(weights, np.concatenate(list(data.raw_batches("train", 8))), strict=True))
    assert {image.tobytes() for image in raw.values()} == known.keys()
    # As they are learned: the target transformed, the weight not.
    learned = as_learned(data.training_batches(8, epochs=1), data, weighed=True)
    targets = np.concatenate([targets.numpy()[:, 0] for _, targets, _ in learned])
    given = np.concatenate([given.numpy() for _, _, given in learned])
    assert abs(targets.mean()) < 1e-5 and targets.std() == pytest.approx(1, rel=1e-3)
    assert len(given) == len(known) and sorted(given) == sorted(weights.values())
    mean, spread = data.target_mean, data.target_std
    for target, weight in zip(targets, given, strict=True):
        pair = round(float(target) * spread + mean)
        assert weight in {w for v, w in known.values() if v == pair}


def test_targets(survey, prepare_catalogue, read_back):
    # The table itself may be named, and the first file names an object that has no other id.
    data = prepare_catalogue(survey / "objects.csv", "regression", target_column="z", **BANDS)
    records = read_back(data)
    assert {name: record.value for name, record in records.items()} == {
        f"images/J{index}_r": pytest.approx(0.1 * index) for index in range(30)
    }


def test_targets_that_have_no_logarithm(survey, prepare_catalogue):
    with pytest.raises(DataError, match=r'targets above 0; that of "images/J0_r" is 0 \(1 such\)'):
        prepare_catalogue(survey, "regression", "log10", target_column="z", **BANDS)
    data = prepare_catalogue(survey, "regression", target_column="z", **BANDS)
    assert data.target_transform.std == pytest.approx(data.examples("train").labels.std())


def test_copies_of_one_object_share_a_split(survey, prepare_catalogue, read_back):
    options = {"label_column": "kind", "id_column": "name", "group_column": "pair", **BANDS}
    records = read_back(prepare_catalogue(survey, **options))
    for index in range(0, 30, 2):
        assert records[f"J{index}"].split == records[f"J{index + 1}"].split


def test_a_fits_table(survey, prepare_catalogue, read_back):
    rows = list(csv.DictReader(open(survey / "objects.csv")))
    table = Table({key: [row[key] for row in rows] for key in ("name", "g")})
    table["label"] = np.array([index % 2 for index in range(30)], np.int16)
    table["z"] = np.array([float(row["z"]) for row in rows])
    table["z"][4] = np.nan
    table["curve"] = np.zeros((30, 5))
    table.write(survey / "objects.fits")
    options = {"catalogue": "objects.fits", "id_column": "name", "file_columns": ["g"]}
    data = prepare_catalogue(survey, "binary", label_column="label", **options)
    records = read_back(data)
    assert data.classes == ("0", "1") and records["J7"].value == "1" and len(records) == 30
    np.testing.assert_array_equal(records["J7"].image[..., 0], pixels(7, 0))
    data = prepare_catalogue(survey, "regression", target_column="z", max_bad=0.1, **options)
    assert dict(data.quarantine) == {"images/J4_g.fits": "objects.fits row 5: it has no target"}
    # Numbers have all their digits.
    assert read_back(data)["J7"].value == float(rows[7]["z"])


def test_every_bad_row_has_its_reason(survey, prepare_catalogue, read_back, caplog):
    rows = list(csv.DictReader(open(survey / "objects.csv")))
    rows[1]["g"] = "images/gone.fits"
    rows[2]["name"] = "J0"
    rows[3]["kind"] = "d"
    rows[4]["kind"] = ""
    rows[5]["r"] = ""
    rows[6]["name"] = ""
    write_table(survey / "objects.csv", rows)
    with open(survey / "objects.csv", "a") as file:
        file.write("J30,a\n")
    (survey / "images" / "J8_r.fits").write_bytes(b"SIMPLE")
    options = {"label_column": "kind", "id_column": "name", "classes": ["c", "a", "b"], **BANDS}
    data = prepare_catalogue(survey, max_bad=0.5, **options)
    quarantine = dict(data.quarantine)
    damaged = quarantine.pop("images/J8_r.fits")
    assert damaged.startswith("damaged FITS file")
    assert quarantine == {
        "images/gone.fits": "there is no such file",
        "images/J2_r.fits": 'objects.csv line 4: the id "J0" stands in objects.csv line 2, too',
        "images/J3_r.fits": 'objects.csv line 5: its label is "d", none of c, a, b',
        "images/J4_r.fits": "objects.csv line 6: it has no label",
        "images/J5_g.fits": 'objects.csv line 7: no file in the column "r"',
        "images/J6_r.fits": "objects.csv line 8: it has no id",
        "J30": "objects.csv line 32: it has 2 cells, where the header has 6",
    }
    assert data.classes == ("c", "a", "b") and len(read_back(data)) == 30 - 7
    # J1's own g file, and J5's r file, belong to no row any more.
    assert "2 image files" in caplog.text and "named by no row of objects.csv" in caplog.text
    assert "images/J1_g.fits" in caplog.text


def test_what_is_masked_is_never_learned(survey, make_experiment, read_back):
    """Labels, targets, ids, groups and positions alike, whatever number stands there."""
    mask = np.arange(30) == 4
    table = Table({"file": [f"images/J{index}_g.fits" for index in range(30)]})
    table["kind"] = MaskedColumn(np.arange(30) % 2, mask=mask, fill_value=-99)
    for place, name in enumerate(("vdisp", "number", "pair", "ra"), start=1):
        table[name] = MaskedColumn(np.arange(30), mask=np.roll(mask, place))
    table["dec"] = np.full(30, -1.5)
    table.write(survey / "masked.fits")
    table.write(survey / "masked.csv")
    everything = {"id_column": "number", "group_column": "pair", "size_pixels": 8}
    for name in ("masked.fits", "masked.csv"):
        place = "row 5" if name.endswith("fits") else "line 6"
        source = CatalogueSource(survey / name, Options(label_column="kind"))
        problems = [example.problem for example in source.list().examples]
        assert source.classes == ("0", "1")
        assert problems == [None] * 4 + [f"{name} {place}: it has no label"] + [None] * 25
        source = CatalogueSource(survey / name, Options(target_column="vdisp", **everything))
        examples = source.list().examples
        assert [example.target for example in examples[:7]] == [0, 1, 2, 3, 4, None, 6]
        reasons = [example.problem and example.problem.partition(": ")[2] for example in examples]
        missing = [f"it has no {what}" for what in ("target", "id", "group", "position")]
        assert reasons == [None] * 5 + missing + [None] * 21
    options = {"catalogue": "masked.fits", "target_column": "vdisp", "max_bad": 0.1}
    splits = {"train": 0.4, "validation": 0.3, "test": 0.3}
    made = make_experiment(
        "fits_catalog", "regression", source_dir=survey, options=options, splits=splits
    )
    data = prepare(made)
    assert dict(data.quarantine) == {"images/J5_g.fits": "masked.fits row 6: it has no target"}
    assert max(record.value for record in read_back(data).values()) == 29


def test_a_column_without_a_name_is_none_of_the_optional_ones(tmp_path):
    """pandas writes its index so: it moves nobody to another split, and is nobody's target."""
    rows = [f"{index}.npy,{'lens' if index % 2 else 'other'}" for index in range(30)]
    numbered = [f"{index},{row}" for index, row in enumerate(rows)]
    tables = {"without.csv": ["file,kind", *rows], "with.csv": [",file,kind", *numbered]}
    tables["reversed.csv"] = [",file,kind", *(f"{i},{row}" for i, row in enumerate(rows[::-1]))]
    found = {}
    for name, lines in tables.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        listing = CatalogueSource(tmp_path / name, Options(label_column="kind")).list()
        found[name] = {example.id: example for example in listing.examples}
    assert len(found["without.csv"]) == 30
    assert found["with.csv"] == found["reversed.csv"] == found["without.csv"]
    assert {example.split_key for example in found["with.csv"].values()} == {
        str(index) for index in range(30)
    }


def test_labels_that_are_one_number(tmp_path):
    """Written as it may be; a class that the options name keeps the name that it has there."""
    cells = ["0", "1.0", "1", "0.0", "nan", "", "1e0"]
    lines = ["file;kind", *(f"{place}.npy;{cell}" for place, cell in enumerate(cells))]
    (tmp_path / "table.csv").write_text("\n".join(lines))
    for classes, names in ((None, "01"), (["1.0", "0.0"], ("0.0", "1.0"))):
        options = Options(label_column="kind", classes=classes)
        source = CatalogueSource(tmp_path / "table.csv", options)
        assert source.classes == tuple(classes or names)
        labels = [example.label for example in source.list().examples]
        zero, one = names
        assert labels == [zero, one, one, zero, None, None, one]
        problems = [example.problem for example in source.list().examples]
        assert problems[4:6] == [f"table.csv line {line}: it has no label" for line in (6, 7)]


def test_jpeg_files(tmp_path):
    """Of three bands each, read as anywhere else."""
    colours = np.random.default_rng(0).integers(0, 256, (4, 16, 18, 3), dtype=np.uint8)
    for place, pixels in enumerate(colours):
        Image.fromarray(pixels).save(tmp_path / f"{place}.jpg")
    lines = ["file,kind", *(f"{place}.jpg,{place % 2}" for place in range(4))]
    (tmp_path / "table.csv").write_text("\n".join(lines))
    source = CatalogueSource(tmp_path / "table.csv", Options(label_column="kind"))
    for place, item in enumerate(source.load(source.list().examples)):
        decoded = np.asarray(Image.open(tmp_path / f"{place}.jpg"))
        np.testing.assert_array_equal(item.image, decoded)


def test_the_fault_of_all_rows_is_named(tmp_path):
    """And not that there would be no labels."""
    (tmp_path / "table.csv").write_text("file,kind\na.npy,lens,x\nb.npy,other,y\n")
    with pytest.raises(DataError, match="line 2: it has 3 cells, where the header has 2"):
        CatalogueSource(tmp_path / "table.csv", Options(label_column="kind"))


def test_a_decimal_comma_is_named(tmp_path):
    (tmp_path / "table.csv").write_text("file;z\na.npy;0,5\n")
    (example,) = CatalogueSource(tmp_path / "table.csv", Options(target_column="z")).list().examples
    assert example.problem == (
        'table.csv line 2: its target is "0,5", whose decimals stand behind a comma: write a point'
    )


def test_too_many_bad_rows(survey, prepare_catalogue):
    for index in range(5):
        (survey / "images" / f"J{index}_g.fits").unlink()
    with pytest.raises(DataError, match="5 of 30 examples are bad") as caught:
        prepare_catalogue(survey, label_column="kind", **BANDS)
    assert "images/J3_g.fits: there is no such file" in str(caught.value)


def test_a_changed_table_is_prepared_anew(survey, prepare_catalogue):
    options = {"label_column": "kind", "id_column": "name", **BANDS}
    before = prepare_catalogue(survey, stratify=False, **options)
    table = survey / "objects.csv"
    table.write_text(table.read_text().replace("J1,b", "J1,c"))
    after = prepare_catalogue(survey, stratify=False, **options)
    assert before.directory != after.directory
    # What has not changed lies where it lay.
    for split in ("train", "validation", "test"):
        assert set(before.examples(split).ids) == set(after.examples(split).ids)


# --- extensions -----------------------------------------------------------------------------------


@pytest.fixture
def multi_extension(tmp_path):
    """Twenty files, each with a table's worth of extensions as a survey delivers them."""
    rows = []
    for index in range(20):
        hdus = [fits.PrimaryHDU()]
        for band, word in enumerate(("VIS", "NIR")):
            hdus.append(fits.ImageHDU(pixels(index, band), name=f"{word}_SCI"))
            hdus.append(fits.ImageHDU(pixels(index, band, 5), name=f"{word}_PSF"))
        fits.HDUList(hdus).writeto(tmp_path / f"{index}.fits")
        hdu = "VIS_SCI" if index % 2 else 3
        rows.append({"file": f"{index}.fits", "one": f"{index}.fits[{hdu}]", "label": index % 2})
    write_table(tmp_path / "table.csv", rows)
    return tmp_path


def test_bands_in_extensions_of_one_file(multi_extension, prepare_catalogue, read_back):
    data = prepare_catalogue(multi_extension, "binary", label_column="label", hdu=["NIR_SCI", 1])
    assert data.native_shape == (9, 9, 2)
    expected = np.stack([pixels(4, 1), pixels(4, 0)], axis=-1)
    np.testing.assert_array_equal(read_back(data)["4"].image, expected)


def test_an_extension_of_each_cell(multi_extension, prepare_catalogue, read_back):
    options = {"label_column": "label", "file_columns": ["one"], "hdu": "VIS_PSF"}
    records = read_back(prepare_catalogue(multi_extension, "binary", **options))
    np.testing.assert_array_equal(records["5[VIS_SCI]"].image[..., 0], pixels(5, 0))
    np.testing.assert_array_equal(records["4[3]"].image[..., 0], pixels(4, 1))


def test_an_extension_that_is_not_there(multi_extension, prepare_catalogue):
    with pytest.raises(DataError, match="it has no HDU 'SCI'"):
        prepare_catalogue(multi_extension, "binary", label_column="label", hdu="SCI")


# --- configuration --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_column": "a", "target_column": "b"}, "label_column or target_column, not both"),
        ({"target_column": "a", "classes": ["b"]}, "classes or target_column, not both"),
        ({"mosaics": ["a.fits"], "file_columns": ["b"]}, "file_columns or mosaics, not both"),
        ({"mosaics": ["a.fits"]}, "mosaics need size_pixels or size_arcsec"),
        ({"size_pixels": 8, "size_arcsec": 1.0}, "size_pixels or size_arcsec, not both"),
        ({"file_columns": ["a", "b"], "hdu": [1, 2, 3]}, "lists 3 extensions, and there are 2"),
    ],
)
def test_options_that_contradict_each_other(options, message):
    with pytest.raises(ValueError, match=message):
        Options(**options)


def test_what_is_missing_is_said(survey, tmp_path, prepare_catalogue):
    for options, message in (
        ({}, "What is to be learned .* name, kind, z, pair, g, r"),
        ({"label_column": "kinds"}, 'no column "kinds". Did you mean "kind"'),
        ({"label_column": "kind"}, 'no column "file"'),
        ({"label_column": "kind", **BANDS, "size_pixels": 8}, 'no column "ra"'),
        ({"label_column": "kind", "catalogue": "x.csv"}, "holds no file x.csv"),
    ):
        with pytest.raises(DataError, match=message):
            prepare_catalogue(survey, **options)
    (survey / "other.csv").write_text("a,b\n")
    with pytest.raises(DataError, match=r"holds 2 \.csv or \.tsv files: objects.csv, other.csv"):
        prepare_catalogue(survey, label_column="kind")
    with pytest.raises(DataError, match="does not exist"):
        prepare_catalogue(tmp_path / "gone", label_column="kind")


@pytest.mark.parametrize(
    ("task", "column"), [("regression", "label_column"), ("classification", "target_column")]
)
def test_the_task_needs_what_the_table_offers(survey, task, column):
    options = {column: "z", **BANDS}
    experiment = Experiment.model_validate(
        {
            "name": "test",
            "task": task,
            "data": {"dataset": "fits_catalog", "source_dir": str(survey), "options": options},
            "model": {"backbone": "resnet18"},
        }
    )
    ((key, message),) = problems(experiment)
    assert key == ("task",) and f"not what {task} needs" in message
    assert isinstance(experiment.dataset_options, DatasetOptions)


def test_names_in_a_fits_table_need_not_be_text(tmp_path):
    """Written in the days of Latin 1: files are found, and what is written can be."""
    names = [b"a\xf6.npy", "b\u00f6.npy".encode(), b"c.npy"]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            np.save(file, pixels(0, 0))
    kinds = np.array([b"Gr\xf6\xdfe", b"klein", b"klein"])
    Table({"file": np.array(names), "kind": kinds}).write(tmp_path / "table.fits")
    options = Options(label_column="kind", group_column="kind")
    source = CatalogueSource(tmp_path / "table.fits", options)
    assert source.classes == (r"Gr\xf6\xdfe", "klein")
    examples = source.list().examples
    assert [example.id for example in examples] == [r"a\xf6", "bö", "c"]
    assert [example.group for example in examples] == [r"Gr\xf6\xdfe", "klein", "klein"]
    assert [item.error for item in source.load(examples)] == [None] * 3
    # As lensnet writes them, the names lead to the files, too.
    with writing_table(tmp_path / "again.csv", ["file"]) as table:
        table.rows([name_as_text(os.fsdecode(name))] for name in names)
    again = CatalogueSource(tmp_path / "again.csv", Options(), labelled=False)
    assert [example.id for example in again.rows()] == [example.id for example in examples]
    assert [item.error for item in again.load(again.rows())] == [None] * 3
