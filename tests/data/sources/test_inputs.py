"""Images to predict on come in a stable order, the bad ones with their reason."""

import itertools
import os
import threading
import time

import numpy as np
import pytest
from planned_inputs import read_inputs

from lensnet.data.sources.inputs import list_inputs
from lensnet.data.sources.reading_ahead import read_ahead
from lensnet.errors import DataError

SHAPE = (6, 6, 1)


def save(path, value=0.0, shape=(6, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + value)
    return path


def read(inputs, shape=SHAPE, **options):
    return read_inputs(inputs, shape, options=options)


def test_files_and_folders_in_order(tmp_path):
    for name, value in (("b.npy", 1), ("a.npy", 2), ("deep/er/c.npy", 3)):
        save(tmp_path / "field" / name, value)
    single = save(tmp_path / "one.npy", 4)
    found = read([single, tmp_path / "field"])
    assert [item.id for item in found] == [
        str(tmp_path / "one"),
        "a",
        "b",
        "deep/er/c",
    ]
    assert [float(item.image[0, 0, 0]) for item in found] == [4, 2, 1, 3]
    assert found[1].path == str(tmp_path / "field" / "a.npy")
    assert all(item.error is None and item.image.shape == SHAPE for item in found)


def test_bad_files_stand_in_their_place(tmp_path):
    save(tmp_path / "a.npy")
    (tmp_path / "b.npy").write_bytes(b"")
    save(tmp_path / "c.npy", shape=(6, 5))
    (tmp_path / "d.npy").mkdir()
    found = read([tmp_path])
    assert [item.id for item in found] == ["a", "b", "c", "d"]
    assert [item.image is None for item in found] == [False, True, True, True]
    assert [item.error and item.error.reason for item in found] == [
        None,
        "the file is empty",
        "shape (6, 5, 1), the network takes (6, 6, 1)",
        "a directory, not a file",
    ]


def test_bands_of_folders_and_of_single_files(tmp_path):
    for name, band in itertools.product(("x", "sub/y"), "gr"):
        save(tmp_path / f"{name}_{band}.npy", 100 * (band == "r"))
    options = {"shape": (6, 6, 2), "bands": ["g", "r"]}
    found = read([tmp_path], **options)
    assert [item.id for item in found] == ["x", "sub/y"]
    assert found[0].image[0, 0].tolist() == [0, 100]
    (tmp_path / "x_r.npy").unlink()
    assert read([tmp_path], **options)[0].error.reason == "band r is missing"
    files = [tmp_path / "sub" / f"y_{band}.npy" for band in "rg"]
    (single,) = read(files, **options)
    assert single.id == str(tmp_path / "sub" / "y") and single.image[0, 0].tolist() == [0, 100]


def test_the_band_that_is_bad_is_named(tmp_path):
    for name, band in itertools.product(("empty", "gaps", "good"), "gr"):
        save(tmp_path / f"{name}_{band}.npy", 100 * (band == "r"))
    (tmp_path / "empty_r.npy").write_bytes(b"")
    np.save(tmp_path / "gaps_r.npy", np.full((6, 6), np.nan))
    found = {item.id: item for item in read([tmp_path], (6, 6, 2), bands=["g", "r"])}
    assert found["empty"].path == str(tmp_path / "empty_r.npy") == found["empty"].error.path
    assert found["gaps"].path == str(tmp_path / "gaps_r.npy")
    assert found["good"].error is None and found["good"].path == ";".join(
        str(tmp_path / f"good_{band}.npy") for band in "gr"
    )


def test_files_of_no_band_are_not_dropped_in_silence(tmp_path):
    for name in ("x_g", "x_r", "x_z", "deep/y_z"):
        save(tmp_path / "field" / f"{name}.npy", len(name))
    options = {"shape": (6, 6, 2), "bands": ["g", "r"]}
    image, folder = read([tmp_path / "field"], **options)
    assert image.error is None and folder.path == str(tmp_path / "field")
    assert folder.error.reason == (
        "2 image files in it, such as x_z.npy, are left out: they are of none of the bands g, r "
        'by the pattern "{id}_{band}"'
    )
    single = tmp_path / "field" / "x_z.npy"
    (item,) = read([single], **options)
    assert item.path == str(single) and "it is of none of the bands g, r" in item.error.reason


def test_what_does_not_exist_is_said_before_anything_is_read(tmp_path):
    save(tmp_path / "a.npy")
    with pytest.raises(DataError, match="There is no file or folder"):
        read([tmp_path / "a.npy", tmp_path / "gone"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        read([tmp_path / "empty"])


def test_a_file_that_is_no_image_is_bad(tmp_path):
    (tmp_path / "notes.md").write_text("notes")
    (item,) = read([tmp_path / "notes.md"])
    assert "known kinds" in item.error.reason
    (tmp_path / "list.txt").write_text("notes.md")
    with pytest.raises(DataError, match="If it is a list of images, name it @"):
        read([tmp_path / "list.txt"])


def test_folders_are_listed_as_they_are_come_to(tmp_path, monkeypatch):
    for index in range(5):
        save(tmp_path / f"{index}" / "a.npy")
    listed = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (listed.append(str(path)), scan(path))[1])
    next(list_inputs([tmp_path]))
    # The folder itself, the one of the first image, and one ahead.
    assert len(listed) <= 3


# --- reading ahead --------------------------------------------------------------------------------


def test_no_more_is_read_ahead_than_asked():
    done, lock = [], threading.Lock()

    def work(item):
        with lock:
            done.append(item)
        return item

    results = read_ahead(work, itertools.count(), threads=2, ahead=32)
    assert [next(results) for _ in range(10)] == list(range(10))
    results.close()
    assert max(done) < 10 + 2 * 32


@pytest.mark.slow  # a race, which other work on the machine may decide
@pytest.mark.parametrize("waits", [True, False])
def test_the_quicker_way_is_found(waits):
    """By threads where the work is waiting, else in the thread that asks."""
    here = []

    def work(item):
        here.append(threading.current_thread() is threading.main_thread())
        if waits:
            time.sleep(0.002)
        return item

    count = 1500 if waits else 400_000
    assert list(read_ahead(work, range(count), threads=4)) == list(range(count))
    assert len(here) == count
    share = sum(here) / count
    assert share < 0.5 if waits else share > 0.5


def test_an_exception_arrives_in_its_place():
    def work(item):
        if item == 20:
            raise RuntimeError("twenty")
        return item

    results = read_ahead(work, range(100))
    with pytest.raises(RuntimeError, match="twenty"):
        assert list(results) == []
