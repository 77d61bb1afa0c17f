"""Preparing happens wholly or not at all: kills, harm, full disks, and others at the same time."""

import errno
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lensnet.data import prepare
from lensnet.data.records.manifest import MANIFEST, is_complete
from lensnet.errors import ConfigurationError, LensnetError
from lensnet.locking import hold


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


# Imports once what takes seconds, and has a child of it killed at each stage.
PREPARING = """
import json, os, signal, sys
from lensnet.config import Experiment
from lensnet.data import prepare
import tensorflow_datasets
for code, experiment in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        exec(code)
        prepare(Experiment.model_validate_json(experiment))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.processes
def test_killed_and_prepared_again(source, make_experiment, tmp_path):
    experiments = {
        stage: make_experiment(source, data_dir=str(tmp_path / stage)) for stage in KILLED
    }
    arguments = [
        (textwrap.dedent(KILLED[stage]), experiment.model_dump_json())
        for stage, experiment in experiments.items()
    ]
    done = subprocess.run(
        [sys.executable, "-c", PREPARING, json.dumps(arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == [str(-signal.SIGKILL)] * len(KILLED), done.stderr
    undisturbed = prepare(make_experiment(source, data_dir=str(tmp_path / "undisturbed")))
    for stage, experiment in experiments.items():
        left = [path for path in (tmp_path / stage).rglob("*") if path.is_file()]
        assert left  # there is something to trip over
        assert not any(is_complete(path.parent) and path.parent.name[0].isdigit() for path in left)
        resumed = prepare(experiment)
        assert contents(tmp_path / stage) == contents(tmp_path / "undisturbed")
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
            until = time.monotonic() + 60
            while "in use by another preparation" not in caplog.text and time.monotonic() < until:
                assert not waiting.done()
                time.sleep(0.02)
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
