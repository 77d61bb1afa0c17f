"""Preparing happens once, wholly or not at all, and says what it left out."""

import csv
import errno
import fcntl
import os
import resource
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lensnet.data import prepare
from lensnet.data.records.manifest import MANIFEST, is_complete
from lensnet.errors import ConfigurationError, DataError, LensnetError
from lensnet.locking import hold


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(directory):
    """Every file below a directory by its name, but for locks."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(Path(directory).rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


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


# --- interruption ---------------------------------------------------------------------------------

# Stands where a preparation can be killed: after some images, and when all but the renaming of
# the finished directory is done.
KILLED = {
    "reading": """
        from lensnet.data.sources.folder_source import FolderSource
        load = FolderSource.load
        def dying(self, examples, **options):
            for count, loaded in enumerate(load(self, examples, **options)):
                if count == 25:
                    os.kill(os.getpid(), signal.SIGKILL)
                yield loaded
        FolderSource.load = dying
        FolderSource.known_shape = lambda self: (8, 8, 1)
    """,
    "renaming": """
        from lensnet.data.records import builder
        write = builder.write_manifest
        def dying(directory):
            write(directory)
            os.kill(os.getpid(), signal.SIGKILL)
        builder.write_manifest = dying
    """,
}


@pytest.mark.parametrize("stage", KILLED)
def test_killed_and_prepared_again(source, make_experiment, tmp_path, stage):
    experiment = make_experiment(source)
    code = "import os, signal\nfrom lensnet.config import Experiment\n"
    code += textwrap.dedent(KILLED[stage])
    code += "from lensnet.data import prepare\n"
    code += f"prepare(Experiment.model_validate_json({experiment.model_dump_json()!r}))\n"
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    left = [path for path in (tmp_path / "prepared").rglob("*") if path.is_file()]
    assert left  # there is something to trip over
    assert not any(is_complete(path.parent) and path.parent.name[0].isdigit() for path in left)

    resumed = prepare(experiment)
    undisturbed = prepare(make_experiment(source, data_dir=str(tmp_path / "other")))
    assert contents(tmp_path / "prepared") == contents(tmp_path / "other")
    assert resumed.directory.parent.name == undisturbed.directory.parent.name


def test_what_a_kill_leaves_of_the_configuration_is_removed(source, make_experiment, tmp_path):
    """TFDS writes that file under another name first, outside the directory of the records."""
    leftover = tmp_path / "prepared" / "image_folder" / ".config" / "incomplete.A1_0.metadata.json"
    leftover.parent.mkdir(parents=True)
    leftover.write_text('{"default_con')
    prepare(make_experiment(source))
    assert not leftover.exists()
    # Another preparation may be writing it: what it writes is left alone.
    leftover.write_text("{}")
    with open(tmp_path / "prepared" / "image_folder" / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        prepare(make_experiment(source, seed=1))
    assert leftover.exists()


@pytest.mark.parametrize(
    "harm",
    [
        lambda directory: (directory / MANIFEST).unlink(),
        lambda directory: (directory / "examples.csv").write_text("id"),
        lambda directory: (directory / "dataset_info.json").write_text("{"),
        lambda directory: next(directory.glob("*train*")).write_bytes(b""),
        lambda directory: next(directory.glob("*test*")).unlink(),
    ],
    ids=["manifest", "list", "info", "cut off", "missing"],
)
def test_a_harmed_directory_is_prepared_again(source, make_experiment, harm):
    directory = prepare(make_experiment(source)).directory
    whole = contents(directory)
    harm(directory)
    assert not is_complete(directory)
    prepare(make_experiment(source))
    assert contents(directory) == whole


def test_an_error_leaves_nothing_behind(source, make_experiment, tmp_path, monkeypatch):
    def fail(directory):
        raise RuntimeError("in the middle")

    monkeypatch.setattr("lensnet.data.records.builder.write_manifest", fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        prepare(make_experiment(source))
    assert contents(tmp_path / "prepared").keys() <= {"image_folder/.config/metadata.json"}


# --- disks ----------------------------------------------------------------------------------------


def test_a_disk_too_small_is_said_before_anything_is_written(
    source, make_experiment, tmp_path, monkeypatch
):
    import shutil

    monkeypatch.setattr(
        "shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 100)
    )
    with pytest.raises(LensnetError, match="takes 0 MB, and the disk .* has 0 MB left") as caught:
        prepare(make_experiment(source))
    assert caught.value.exit_code == 1
    assert not contents(tmp_path / "prepared")


def test_a_disk_that_becomes_full(source, make_experiment, tmp_path, monkeypatch):
    def full(directory):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("lensnet.data.records.builder.write_manifest", full)
    with pytest.raises(LensnetError, match="is full: nothing was prepared"):
        prepare(make_experiment(source))
    assert not list((tmp_path / "prepared").rglob("*.tfrecord*"))


def test_files_that_may_not_grow(source, make_experiment, tmp_path):
    """The same from TensorFlow's writer: 32 images of 256 bytes are more than 4 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    experiment = make_experiment(source)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(LensnetError, match="is full: nothing was prepared"):
            prepare(experiment)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "prepared").rglob("*.tfrecord*"))
    prepare(experiment)


@pytest.mark.parametrize("has_flock", [True, False], ids=["flock", "no flock"])
def test_only_one_prepares_at_a_time(source, make_experiment, caplog, monkeypatch, has_flock):
    """As the processes of a multi-worker training do: the second one waits, and then opens."""
    caplog.set_level("INFO", "lensnet")
    if not has_flock:  # as on a network file system

        def no_locks(*arguments):
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr(fcntl, "flock", no_locks)
    experiment = make_experiment(source)
    directory = prepare(experiment).directory
    (directory / MANIFEST).unlink()
    with ThreadPoolExecutor() as pool:
        with hold(directory.parent, "another preparation"):
            waiting = pool.submit(prepare, experiment)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=2)
            assert not is_complete(directory)
        assert waiting.result(timeout=60).directory == directory
    assert is_complete(directory)
    assert "in use by another preparation" in caplog.text


def test_nothing_but_records_is_removed(source, make_experiment, tmp_path):
    directory = prepare(make_experiment(source)).directory
    (directory / MANIFEST).unlink()
    (directory / "thesis.txt").write_text("three years of work")
    with pytest.raises(ConfigurationError, match="holds thesis.txt, which lensnet has not written"):
        prepare(make_experiment(source))
    assert (directory / "thesis.txt").exists()
    directory.rename(tmp_path / "elsewhere")
    directory.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="nothing is removed through a link"):
        prepare(make_experiment(source))
    assert (tmp_path / "elsewhere" / "thesis.txt").exists()


def test_a_data_dir_that_is_a_file(source, make_experiment, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="Set data.data_dir"):
        prepare(make_experiment(source, data_dir=str(tmp_path / "file")))


def test_nothing_is_said_on_standard_output(source, make_experiment, capfd):
    prepare(make_experiment(source))
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Preparing image_folder: 40 in ")
    assert len(captured.err.splitlines()) == 1, captured.err


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
