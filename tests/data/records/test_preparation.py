"""Preparing happens once, wholly or not at all, and says what it left out."""

import csv
import os
import sys

import numpy as np
import pytest

from lensnet.data import prepare
from lensnet.data.records.manifest import MANIFEST
from lensnet.errors import DataError


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def source(write_folder):
    return write_folder({"a": 20, "b": 20})


# --- what is prepared -----------------------------------------------------------------------------


def test_examples_are_listed_in_the_order_of_the_records(source, make_experiment):
    data = prepare(make_experiment(source))
    listed = rows(data.directory / "examples.csv")
    assert len(listed) == 40 and {row["id"] for row in listed} == {
        f"{label}/{index}" for label in "ab" for index in range(20)
    }
    for split in ("train", "validation", "test"):
        of_split = [row for row in listed if row["split"] == split]
        assert [row["id"] for row in of_split] == list(data.examples(split).ids)
        recorded = list(data.builder.as_dataset(split=split))
        assert [record["id"].numpy().decode() for record in recorded] == [
            row["id"] for row in of_split
        ]
        for record, row in zip(recorded, of_split, strict=True):
            np.testing.assert_array_equal(
                record["image"].numpy()[..., 0], np.load(source / row["file"])
            )
            assert data.classes[int(record["label"])] == row["label"]


def test_numbers_beside_the_image_are_kept(write_folder, make_experiment):
    source = write_folder({"a": 5, "b": 5})
    for index in range(5):
        pair = np.empty(2, dtype=object)
        pair[:] = [np.load(source / "a" / f"{index}.npy"), 1e-23 * (index + 1)]
        np.save(source / "a" / f"{index}.npy", pair, allow_pickle=True)
    data = prepare(make_experiment(source, seed=6))
    metadata = {row["id"]: row["metadata"] for row in rows(data.directory / "examples.csv")}
    assert metadata["a/2"] == '{"value_0": 3e-23}' and metadata["b/2"] == ""


def test_filled_pixels_are_reported(source, make_experiment, caplog):
    holed = np.load(source / "a" / "3.npy")
    holed[2, 5] = np.nan
    np.save(source / "a" / "3.npy", holed)
    data = prepare(make_experiment(source))
    assert data.quarantine == ()
    metadata = {row["id"]: row["metadata"] for row in rows(data.directory / "examples.csv")}
    assert metadata["a/3"] == '{"filled_pixels": 1}' and metadata["a/4"] == ""
    assert "filled with the median of their band, in 1 of the images" in caplog.text


def test_the_second_time_nothing_is_read(source, make_experiment):
    first = prepare(make_experiment(source))
    times = {path: path.stat().st_mtime_ns for path in first.directory.iterdir()}
    # Whoever read them now would find them bad; names, sizes and times are what they were.
    for path in source.rglob("*.npy"):
        status = path.stat()
        path.write_bytes(bytes(status.st_size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = prepare(make_experiment(source))
    assert again.directory == first.directory
    assert {path: path.stat().st_mtime_ns for path in first.directory.iterdir()} == times


# --- what changes, is prepared anew ---------------------------------------------------------------


def test_changed_files_are_prepared_anew(source, make_experiment):
    before = prepare(make_experiment(source))
    np.save(source / "a" / "0.npy", np.eye(8, dtype=np.float32))
    after = prepare(make_experiment(source))
    assert after.directory != before.directory
    split = next(s for s in ("train", "validation", "test") if "a/0" in after.examples(s).ids)
    position = list(after.examples(split).ids).index("a/0")
    images = np.concatenate([images for images, _ in after.batches(split, 8)])
    np.testing.assert_array_equal(images[position, ..., 0], np.eye(8))


@pytest.mark.parametrize(
    "change",
    [
        lambda source: os.utime(source / "a" / "0.npy", ns=(1, 1)),
        lambda source: (source / "a" / "0.npy").unlink(),
        lambda source: (source / "a" / "0.npy").rename(source / "a" / "x.npy"),
    ],
    ids=["touched", "removed", "renamed"],
)
def test_the_fingerprint_sees_every_change(source, make_experiment, change):
    before = prepare(make_experiment(source)).directory
    change(source)
    assert prepare(make_experiment(source)).directory != before


@pytest.mark.parametrize(
    "data",
    [
        {"seed": 1},
        {"stratify": False},
        {"options": {"max_nonfinite": 0.1}},
        {"options": {"classes": ["b", "a"]}},
        {"splits": {"train": 0.6, "validation": 0.2, "test": 0.2}},
    ],
    ids=str,
)
def test_the_fingerprint_sees_options_and_splits(source, make_experiment, data):
    before = prepare(make_experiment(source)).directory
    assert prepare(make_experiment(source, **data)).directory != before


def test_what_is_done_with_the_records_changes_none_of_them(source, make_experiment):
    before = prepare(make_experiment(source)).directory
    after = make_experiment(source, image_size=6, normalization="none", balance="oversample")
    assert prepare(after).directory == before


def test_adding_files_moves_no_old_example(write_folder, make_experiment):
    few = prepare(make_experiment(write_folder({"a": 20, "b": 20}, "few"), stratify=False))
    many = prepare(make_experiment(write_folder({"a": 50, "b": 40}, "many"), stratify=False))
    for split in ("train", "validation", "test"):
        assert set(few.examples(split).ids) <= set(many.examples(split).ids)


# --- bad files ------------------------------------------------------------------------------------


def test_bad_files_are_listed_with_their_reasons(source, make_experiment, caplog):
    (source / "a" / "0.npy").write_bytes(b"")
    np.save(source / "a" / "1.npy", np.full((8, 8), np.nan))
    np.save(source / "b" / "0.npy", np.zeros((8, 8)))
    np.save(source / "b" / "1.npy", np.random.default_rng(0).random((8, 9)))
    data = prepare(make_experiment(source, options={"max_bad": 0.1}))
    expected = {
        "a/0.npy": "the file is empty",
        "a/1.npy": "100 % of its pixels are not finite; 5 % may be",
        "b/0.npy": "all pixels have one value",
        "b/1.npy": "shape (8, 9, 1), the others have (8, 8, 1)",
    }
    assert dict(data.quarantine) == expected
    listed = rows(data.directory / "quarantine.csv")
    assert {row["file"]: row["reason"] for row in listed} == expected
    assert sum(len(data.examples(s).ids) for s in ("train", "validation", "test")) == 36
    assert "4 bad files were left out" in caplog.text


def test_too_many_bad_files_end_preparation(source, make_experiment, tmp_path):
    for index in range(7):
        (source / "a" / f"{index}.npy").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        prepare(make_experiment(source, options={"max_bad": 0.1}))
    assert caught.value.exit_code == 3
    message = str(caught.value)
    assert "7 of 40 examples are bad (17.5%; data.options.max_bad allows 10.0%)" in message
    assert "the file is empty" in message and "and 2 more" in message
    assert "raise data.options.max_bad to go on" in message
    # All of them are listed in a file, and nothing looks prepared.
    (kept,) = (tmp_path / "prepared").rglob("quarantine.csv")
    assert str(kept) in message and len(rows(kept)) == 7
    assert not list((tmp_path / "prepared").rglob(MANIFEST))


def test_images_of_different_sizes(write_folder, make_experiment):
    source = write_folder({"a": 20, "b": 20})
    for index in range(3):
        np.save(source / "a" / f"{index}.npy", np.random.default_rng(0).random((9, 9)))
    with pytest.raises(DataError, match=r"shape \(9, 9, 1\), the others have \(8, 8, 1\)"):
        prepare(make_experiment(source))
    data = prepare(make_experiment(source, options={"max_bad": 0.1}))
    assert data.native_shape == (8, 8, 1) and len(data.quarantine) == 3


def test_nothing_can_be_read(source, make_experiment):
    for path in source.rglob("*.npy"):
        path.write_bytes(b"no array")
    with pytest.raises(DataError, match="none can be read.* The first: .*first bytes"):
        prepare(make_experiment(source))


def test_a_class_that_is_bad_throughout(source, make_experiment):
    for path in (source / "b").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match='no image of the class "b"'):
        prepare(make_experiment(source, options={"max_bad": 0.9}))


def test_a_class_with_two_images(write_folder, make_experiment, tmp_path):
    with pytest.raises(DataError, match='"b" has 2') as caught:
        prepare(make_experiment(write_folder({"a": 20, "b": 2})))
    assert caught.value.exit_code == 3
    assert not list((tmp_path / "prepared").rglob("*.tfrecord*"))


# --- one road -------------------------------------------------------------------------------------


def test_every_file_is_opened_once(source, make_experiment):
    """Those that tell the shape of the images are among those that are written."""
    opened = []

    def note(event, arguments):
        if event == "open" and str(arguments[0]).startswith(str(source)):
            opened.append(str(arguments[0]))

    # A hook cannot be taken away again: from now on it notes nothing but this folder's files.
    sys.addaudithook(note)
    (source / "a" / "0.npy").write_bytes(b"\x93NUMPY")
    opened.clear()
    prepare(make_experiment(source, options={"max_bad": 0.1}))
    images = [name for name in opened if name.endswith(".npy")]
    assert sorted(images) == sorted(str(path) for path in source.rglob("*.npy"))
