"""Many images: their order, their independence of the processes, and how these end."""

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from simulated_patterns import Patterns

from lensnet.simulation import simulate_many

SIMULATOR = Patterns()


def jobs(count):
    """Classes and indices in an order that no sorting would give."""
    return [(SIMULATOR.classes[n % 3], (7 * n) % count, 5) for n in range(count)]


def test_images_come_in_the_order_of_the_jobs_whatever_the_processes():
    wanted = [SIMULATOR.simulate(*job) for job in jobs(150)]
    for processes in (1, 2):
        results = list(simulate_many(SIMULATOR, iter(jobs(150)), processes))
        assert len(results) == 150
        for result, want in zip(results, wanted, strict=True):
            np.testing.assert_array_equal(result.image, want.image)
            np.testing.assert_equal(dict(result.metadata), dict(want.metadata))
            assert result.label == want.label


def test_endless_jobs_are_read_a_little_ahead_and_closing_ends_the_processes():
    taken = itertools.count()
    endless = (("a", next(taken), 0) for _ in itertools.count())
    before = set(multiprocessing.active_children())
    images = simulate_many(SIMULATOR, endless, processes=2)
    next(images)
    assert len(set(multiprocessing.active_children()) - before) == 2
    images.close()
    assert set(multiprocessing.active_children()) <= before
    assert next(taken) < 500


def test_one_process_reads_one_job_at_a_time():
    taken = itertools.count()
    images = simulate_many(SIMULATOR, (("a", next(taken), 0) for _ in itertools.count()))
    next(images)
    assert next(taken) == 1


@pytest.mark.parametrize("processes", [1, 2])
def test_no_jobs_no_images(processes):
    assert list(simulate_many(SIMULATOR, [], processes)) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_a_wrong_job_is_an_error(processes):
    images = simulate_many(SIMULATOR, [("a", 0, 0), ("warm", 0, 0)], processes)
    with pytest.raises(ValueError, match="not in tuple"):
        list(images)


@pytest.mark.parametrize("processes", [0, -1, 1.5, None])
def test_a_wrong_number_of_processes_is_an_error(processes):
    with pytest.raises(ValueError, match="processes must be an integer of at least 1"):
        simulate_many(SIMULATOR, [], processes)


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}

UNGUARDED_SCRIPT = """
with open("runs.txt", "a") as file:
    file.write("once ")
from lensnet.simulation import simulate_many
from simulated_patterns import Patterns
jobs = [("a", index, 0) for index in range(70)]
print(len(list(simulate_many(Patterns(), jobs, processes=2))))
"""

OWN_SIMULATOR_SCRIPT = """
from dataclasses import dataclass
from lensnet.simulation import simulate_many
from simulated_patterns import Patterns

@dataclass(frozen=True)
class Own(Patterns):
    pass

if __name__ == "__main__":
    jobs = [("a", index, 0) for index in range(70)]
    print(len(list(simulate_many(Own(), jobs, processes=2))))
"""


@pytest.mark.processes
@pytest.mark.parametrize("script", [UNGUARDED_SCRIPT, OWN_SIMULATOR_SCRIPT], ids=["bare", "own"])
def test_a_script_runs_once_unless_the_simulator_stands_in_it(tmp_path, script):
    """Without a guard the script ran again in each process, over whatever it had written."""
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env=ENVIRONMENT,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "70"), done.stderr
    if script is UNGUARDED_SCRIPT:
        assert (tmp_path / "runs.txt").read_text() == "once "


ENDLESS_SCRIPT = """
import itertools, multiprocessing, signal
from lensnet.simulation import simulate_many
from simulated_patterns import Patterns

if __name__ == "__main__":
    # A job that a shell runs in the background ignores the signal, and so do its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    jobs = (("a", index, 0) for index in itertools.count())
    for number, _ in enumerate(simulate_many(Patterns(), jobs, processes=2)):
        if number == 100:
            print(*(child.pid for child in multiprocessing.active_children()), flush=True)
"""


@pytest.mark.processes
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_an_interrupted_or_killed_parent(how, tmp_path):
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS_SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2
        # To the whole session, as a terminal sends Ctrl-C, unless it is the kill of the parent.
        if how == signal.SIGINT:
            os.killpg(parent.pid, how)
        else:
            parent.kill()
        _, errors = parent.communicate(timeout=60)
    finally:
        if parent.poll() is None:
            os.killpg(parent.pid, signal.SIGKILL)
    # The parent's own traceback, and none of its children's.
    assert errors.count("Traceback") == (1 if how == signal.SIGINT else 0)
    deadline = time.monotonic() + 20
    while any(map(runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(runs, workers))


def runs(pid):
    """Whether a process is there and not merely waiting to be reaped by its adoptive parent."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self/stat").exists()
    return status != "Z"
