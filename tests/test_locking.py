"""One process at a time: as the second, the third and the heir of a dead one see it."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from lensnet import locking
from lensnet.errors import RunError
from lensnet.locking import hold

HOLDER = """
import sys, time
from pathlib import Path
from lensnet.locking import hold
with hold(Path(sys.argv[1]), "a test"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds a folder until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def from_another_host(folder):
    """Makes a lock say that another host's process holds it."""
    lock = folder / ".lock"
    lock.write_text(re.sub("(?m)^host=.*$", "host=elsewhere", lock.read_text()))


def test_the_second_is_told_who_since_when_and_where(holder, tmp_path):
    with pytest.raises(RunError) as caught, hold(tmp_path / "run", "another"):
        pass
    message = str(caught.value)
    assert (
        "in use by a test (" in message
        and f"process {holder.pid} on {os.uname().nodename}" in message
    )
    assert re.search(r"since 20\d\d-\d\d-\d\dT\d\d:\d\d", message) and "\n" not in message
    holder.communicate()
    with hold(tmp_path / "run", "another") as held:
        held.check()
    assert not (tmp_path / "run").exists(), "a folder that stays empty is not left behind"


def test_the_lock_of_a_process_that_was_killed_is_taken_over(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run" / ".lock").exists()
    with hold(tmp_path / "run", "its heir"):
        pass
    assert list((tmp_path / "run").iterdir()) == []


def test_one_who_waits_comes_next(holder, tmp_path, caplog):
    caplog.set_level("INFO", "lensnet")
    threading.Timer(1.5, holder.stdin.close).start()
    with hold(tmp_path / "run", "another", wait=True) as held:
        assert holder.wait() == 0
        held.check()
    assert "in use by a test" in caplog.text


def test_a_holder_on_another_host_is_dead_when_it_is_silent(holder, tmp_path, monkeypatch):
    """Whether its process lives cannot be asked; whether it touches the lock can be seen."""
    monkeypatch.setattr(locking, "LEASE_SECONDS", 2.0)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    lock = tmp_path / "run" / ".lock"
    lock.write_text(re.sub("(?m)^duration=.*$", "duration=2.0", lock.read_text()))
    from_another_host(tmp_path / "run")
    with hold(tmp_path / "run", "its heir") as held:
        held.check()


def test_one_who_has_lost_the_folder_notices(tmp_path):
    with pytest.raises(RunError, match="no longer holds"), hold(tmp_path / "run", "a test") as held:
        held.check()
        (tmp_path / "run" / ".lock").unlink()
        held.check()


def test_without_flock(tmp_path, monkeypatch):
    """As on a network file system that has none."""
    fcntl = pytest.importorskip("fcntl")

    def no_locks(*arguments):
        raise OSError("No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    monkeypatch.setattr(fcntl, "lockf", no_locks)
    with hold(tmp_path, "one"):
        with pytest.raises(RunError, match="in use by one"), hold(tmp_path, "two"):
            pass
