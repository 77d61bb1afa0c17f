"""`lensnet prepare`, killed at any moment and started again, leaves what it would have left.

The kill is SIGKILL, which no program can prepare for. Some of the moments lie in the start-up; for
the others the command is watched until it begins to write, and has a random part of the time
that writing takes.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml


def contents(directory):
    """Every file and folder below a directory by its name."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(Path(directory).rglob("*"))
    }


@pytest.fixture
def source(tmp_path):
    """Images enough for several shards, and for a preparation that takes a second."""
    random = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / "source" / label).mkdir(parents=True)
        for index in range(1500):
            np.save(tmp_path / "source" / label / f"{index}.npy", random.random((96, 96), "f4"))
    (tmp_path / "source" / "a" / "7.npy").write_bytes(b"")
    holed = np.load(tmp_path / "source" / "b" / "7.npy")
    holed[3, 4:9] = np.nan
    np.save(tmp_path / "source" / "b" / "7.npy", holed)
    return tmp_path / "source"


@pytest.fixture
def command(source, tmp_path):
    """Starts the command; returns the process and where it writes."""

    def start(name):
        data_dir = tmp_path / name
        content = {
            "name": "killed",
            "task": "classification",
            "data": {
                "dataset": "image_folder",
                "source_dir": str(source),
                "data_dir": str(data_dir),
            },
            "model": {"backbone": "resnet18"},
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content))
        process = subprocess.Popen(
            [sys.executable, "-m", "lensnet", "prepare", str(path)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        return process, data_dir

    return start


def begun(process, data_dir):
    """Waits until a preparation writes; returns whether it does, or has ended."""
    while not list(data_dir.glob("*/*/incomplete.*")):
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    return True


def undisturbed(command):
    """Returns what the command leaves, and the seconds of its start-up and of its writing.

    Writing ends where the finished directory takes its name, not with the process.
    """
    started = time.monotonic()
    process, data_dir = command("undisturbed")
    assert begun(process, data_dir)
    writing = time.monotonic()
    while not finished(data_dir) and process.poll() is None:
        time.sleep(0.002)
    written = time.monotonic()
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()
    return contents(data_dir), writing - started, written - writing


def finished(data_dir):
    """Whether a directory has its final name."""
    return bool(list(data_dir.glob("*/*/1.0.0")))


def killed(command, name, *, in_startup=None, in_writing=None):
    """Kills the command; returns where it wrote, and whether it was in time.

    That is: before the finished directory had its name.
    """
    process, data_dir = command(name)
    if in_startup is not None:
        time.sleep(in_startup)
    elif begun(process, data_dir):
        time.sleep(in_writing)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    in_time = process.returncode == -signal.SIGKILL and not finished(data_dir)
    return data_dir, in_time


@pytest.mark.slow
def test_killed_at_twenty_random_moments(command):
    """The same command again each time; `-s` shows what the moments were."""
    expected, startup, writing = undisturbed(command)
    assert any(name.endswith("quarantine.csv") for name in expected)
    random = np.random.default_rng(int(os.environ.get("LENSNET_TEST_SEED", "0")))
    hits = 0
    for number in range(20):
        moment = random.random()
        when = {"in_startup": moment * startup} if number < 5 else {"in_writing": moment * writing}
        data_dir, hit = killed(command, f"at{number}", **when)
        left = len(contents(data_dir)) if data_dir.exists() else 0
        hits += hit
        sys.stdout.write(f"{when}: in time: {hit}, {left} files and folders left\n")
        process, _ = command(f"at{number}")
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said.decode()
        assert contents(data_dir) == expected
    # The others took less time than the one that was measured, and are as good.
    assert hits >= 10
