"""Graded candidates beside another data set, whose splits they do not move."""

import numpy as np
import pytest
from lens_images import ring_or_blob, write_folder

from lensnet.config.sections import Splits
from lensnet.csv_tables import writing_table
from lensnet.data import prepare
from lensnet.datasets.graded.candidate_splits import split_of
from lensnet.datasets.graded.graded_source import GradedSource
from lensnet.datasets.graded.options import Options
from lensnet.errors import DataError

SIZE = 8


def write_candidates(folder, rows, columns=("id", "file", "label", "weight", "split")):
    """Writes images that do not exist yet, and the table of candidates."""
    random = np.random.default_rng(1)
    folder.mkdir(exist_ok=True)
    for row in rows:
        path = folder / row["file"]
        if not path.exists():
            np.save(path, ring_or_blob(row["label"] == "ring", random, row.pop("size", SIZE)))
    with writing_table(folder / "candidates.csv", columns) as table:
        table.rows([row.get(name, "") for name in columns] for row in rows)
    return folder


def forty(**more):
    return [
        {"id": f"J{n}", "file": f"J{n}.npy", "label": ("blob", "ring")[n % 2], **more}
        for n in range(40)
    ]


@pytest.fixture
def base(tmp_path):
    """What `data.options.base` says of a folder of images."""
    folder = write_folder(tmp_path / "base", per_class=20, size=SIZE)
    return {"dataset": "image_folder", "source_dir": str(folder), "seed": 3}


def listed(folder, base, **options):
    """Returns each example's split by its id, and the source."""
    source = GradedSource(folder, Options.model_validate({"base": base, **options}))
    examples = source.list().examples
    return dict(zip((e.id for e in examples), source.splits_of(examples, None), strict=True))


def test_the_old_splits_stay_and_weights_come_with_the_batches(
    tmp_path, base, make_experiment, read_back
):
    rows = [{**row, "weight": 1 + n} for n, row in enumerate(forty())]
    folder = write_candidates(tmp_path / "candidates", rows)
    options = {"source_dir": folder, "options": {"base": base}, "example_weights": "weight"}
    plain = {"normalization": "none", "augmentation": []}
    alone = read_back(prepare(make_experiment("image_folder", "binary", **drop(base, "dataset"))))
    data = prepare(make_experiment("graded", "binary", **options, **plain))
    held = make_experiment(
        "graded",
        "binary",
        splits=Splits(train="train", validation="validation", test="held_out"),
        **options,
    )
    held_out = set(prepare(held).examples("test").ids)
    found = {name: split for split in ("train", "validation", "test") for name in ids(data, split)}
    for name, record in alone.items():
        assert found.pop(name) == record.split
    assert held_out and held_out.isdisjoint(found)
    assert held_out | found.keys() == {f"graded/J{n}" for n in range(40)}
    for name in (*found, *held_out):
        assert found.get(name, "held_out") == split_of(name.removeprefix("graded/"))
    known = dict(zip(ids(data, "train"), data.training_weights, strict=True))
    assert np.mean(list(known.values())) == pytest.approx(1)
    blob = next(name for name in known if name.startswith("blob/"))
    for name, weight in known.items():
        if name.startswith("graded/"):
            assert weight / known[blob] == pytest.approx(1 + int(name[8:]), rel=1e-5)
    by_pixels = {images_key(i): known[n] for n, i in zip(known, pixels(data), strict=True)}
    for images, _, weights in data.training_batches(16, epochs=1):
        for image, weight in zip(images.numpy(), weights.numpy(), strict=True):
            assert by_pixels[images_key(image)] == weight


def ids(data, split):
    return data.examples(split).ids.tolist()


def pixels(data):
    return np.concatenate(list(data.raw_batches("train", 64)))


def images_key(image):
    return image.tobytes()


def drop(mapping, key):
    return {name: value for name, value in mapping.items() if name != key}


def test_simulated_images_keep_their_splits_and_folds(tmp_path):
    base = {"dataset": "lens_finding/simulated", "options": {"examples_per_class": 20}}
    rows = [{"id": "1", "file": "1.npy", "label": "lens"}]
    folder = write_candidates(tmp_path / "candidates", rows)
    ten = [f"lens/{n}" for n in range(10)]
    splits = [listed(folder, base)[name] for name in ten]
    assert sorted(splits) == ["test"] + ["train"] * 8 + ["validation"]
    folded = listed(folder, {**base, "folds": 5, "fold": 1})
    assert sorted(folded[name] for name in ten) == ["test"] * 2 + ["train"] * 6 + ["validation"] * 2


def test_candidates_go_where_their_row_says_or_their_hash(tmp_path, base):
    rows = forty()
    rows[0]["split"] = "test"
    folder = write_candidates(tmp_path / "candidates", rows)
    found = listed(folder, base)
    assert found["graded/J0"] == "test"
    # Others do not move with what else there is, nor with the seed of the base.
    write_candidates(folder, rows[20:])
    fewer = listed(folder, {**base, "seed": 8})
    assert {name: found[name] for name in fewer if name.startswith("graded/")} == {
        name: split for name, split in fewer.items() if name.startswith("graded/")
    }
    # A larger share holds out the same and more.
    more = listed(folder, base, held_out=0.6)
    assert {n for n, s in found.items() if s == "held_out"} & fewer.keys() <= {
        name for name, split in more.items() if split == "held_out"
    }


def test_copies_of_an_object_share_a_split(tmp_path, base):
    rows = [{**row, "group": f"pair {n // 2}"} for n, row in enumerate(forty())]
    columns = ("id", "file", "label", "group")
    found = listed(write_candidates(tmp_path / "candidates", rows, columns), base)
    for n in range(0, 40, 2):
        assert found[f"graded/J{n}"] == found[f"graded/J{n + 1}"] == split_of(f"pair {n // 2}")


def test_bad_candidates_are_told_by_their_line(tmp_path, base):
    rows = forty()[:6]
    rows[1]["label"] = "arc"
    rows[2]["weight"] = "-1"
    rows[3]["split"] = "trian"
    rows[4]["id"] = "J5"
    folder = write_candidates(tmp_path / "candidates", rows)
    source = GradedSource(folder, Options.model_validate({"base": base}))
    problems = [e.problem for e in source.list().examples if e.problem]
    for problem, words in zip(
        problems,
        (
            'its label is "arc", none of blob, ring',
            'line 4: its weight is "-1"',
            'line 5: its split is "trian"',
            'the id "J5" stands in a row above',
        ),
        strict=True,
    ):
        assert words in problem


def test_a_candidate_of_another_shape_is_quarantined(tmp_path, base, make_experiment):
    rows = forty()
    rows[7] |= {"size": SIZE + 1, "split": "train"}
    folder = write_candidates(tmp_path / "candidates", rows)
    options = {"base": base, "max_bad": 0.1}
    data = prepare(make_experiment("graded", "binary", source_dir=folder, options=options))
    assert [bad.file for bad in data.quarantine] == ["J7.npy"]
    assert "shape (9, 9, 1), the others have (8, 8, 1)" in data.quarantine[0].reason


def test_an_image_of_the_base_is_no_candidate(tmp_path, base):
    rows = forty()[:3]
    rows[1]["file"] = "../base/ring/4.npy"
    folder = write_candidates(tmp_path / "candidates", rows)
    listing = GradedSource(folder, Options.model_validate({"base": base})).list()
    assert [e.id for e in listing.examples[-2:]] == ["graded/J0", "graded/J2"]
    assert "1 candidates, such as J1, are left out" in listing.remarks[-1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dataset": "graded"}, "name that one"),
        ({"dataset": "image_foldr"}, "image_folder"),
        ({"options": {"bandz": 1}}, "options.bandz"),
        ({"source_dir": None}, "say where they are"),
        (
            {"splits": {"train": "train[:90%]", "validation": "validation", "test": "test"}},
            "slices",
        ),
        ({"folds": 5}, "fold"),
    ],
)
def test_what_candidates_cannot_be_added_to_is_refused(base, change, words):
    with pytest.raises(ValueError, match="(?s)base.*") as caught:
        Options.model_validate({"base": {**base, **change}})
    assert words in str(caught.value)


def test_files_are_read_as_the_base_says(tmp_path, base, make_experiment):
    folder = write_candidates(tmp_path / "candidates", forty())
    experiment = make_experiment("graded", "binary", source_dir=folder, options={"base": base})
    reading = experiment.reading
    assert (reading.data.dataset, str(reading.source_dir)) == ("image_folder", base["source_dir"])
    assert reading.reading is reading and reading.data.seed == experiment.data.seed


def test_a_table_that_is_none_is_refused(tmp_path, base):
    options = Options.model_validate({"base": base})
    with pytest.raises(DataError, match="There is no table of candidates"):
        GradedSource(tmp_path, options)
    with writing_table(tmp_path / "candidates.csv", ("id", "filee")) as table:
        table.row(["1", "1.npy"])
    with pytest.raises(DataError, match='has no column file. Did you mean "filee"'):
        GradedSource(tmp_path, options).list()
