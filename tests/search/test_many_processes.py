"""Two processes share a search, are killed at once, and two others end it: each trial once."""

import csv
import math
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from search_formula import SEARCH

from lensnet.config.search import load_search
from lensnet.errors import ConfigurationError, LensnetError
from lensnet.search import search
from lensnet.search.folder import SearchFolder
from lensnet.search.study import SharedStudy

pytestmark = pytest.mark.slow

TRIALS = 40
# Five values of each, for a grid.
GRID = """\
  training.optimizer.learning_rate: [1.0e-5, 1.0e-4, 1.0e-3, 1.0e-2, 1.0e-1]
  model.head.dropout: {low: 0.0, high: 0.7, step: 0.1}
"""


class Searching:
    """The processes of one search.

    Args:
        folder: where everything lies.
        keys: what is set in the file of the search.
        parameters: the file's, in place of those there.
    """

    def __init__(self, folder, keys, parameters=None):
        text = SEARCH.replace("trials: 6", f"trials: {TRIALS}").replace("epochs: 4", "epochs: 9")
        if parameters:
            text = text.partition("parameters:\n")[0] + "parameters:\n" + parameters
        text = "".join(line for line in text.splitlines(True) if line.partition(":")[0] not in keys)
        self.file = folder / "search.yaml"
        self.file.write_text(text + "".join(f"{k}: {v}\n" for k, v in keys.items()))
        self.folder, self.log = folder / "found", folder / "log"
        self.log.touch()
        self.processes = []

    def start(self, count):
        script = Path(__file__).with_name("search_process.py")
        ready = count + sum(what == "ready" for _, what, *_ in self.notes())
        files = (script, self.file, self.folder, self.log)
        command = [sys.executable, *map(str, files), str(ready)]
        self.processes = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for _ in range(count)
        ]

    def run_killed_once(self):
        """Two processes are killed at once, and two others end it."""
        self.start(2)
        self.wait_for(lines=100)
        self.kill()
        self.start(2)
        self.wait()
        check_each_once(self, killed=2)

    def wait(self):
        for process in self.processes:
            said, _ = process.communicate(timeout=600)
            assert process.returncode == 0, said

    def wait_for(self, lines):
        end = time.monotonic() + 300
        while len(self.notes()) < lines:
            assert time.monotonic() < end, self.log.read_text()
            assert all(p.poll() is None for p in self.processes), self.processes[0].stdout.read()
            time.sleep(0.01)

    def kill(self):
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait()
            process.stdout.close()

    def notes(self):
        return [line.split() for line in self.log.read_text().splitlines(True) if line[-1] == "\n"]

    def rows(self):
        with (self.folder / "trials.csv").open(newline="") as stream:
            return list(csv.DictReader(stream))


def check_each_once(searching, killed):
    """No trial is lost, done twice, or done by two at a time; `killed` epochs may be repeated."""
    rows, notes = searching.rows(), searching.notes()
    assert [row["trial"] for row in rows] == [f"{number:04d}" for number in range(TRIALS)]
    assert {row["state"] for row in rows} <= {"complete", "pruned"}
    epochs = Counter((trial, epoch) for _, what, trial, epoch in notes if what == "epoch")
    # A kill may come between the epoch's note and its being kept.
    assert sum(count - 1 for count in epochs.values()) <= killed
    begun = Counter(trial for _, what, trial, _ in notes if what == "begin")
    assert sum(count - 1 for count in begun.values()) <= killed
    workers = {process for process, what, *_ in notes if what == "begin"}
    assert len(workers) == 4, "all four processes had a part"


@pytest.mark.parametrize("sampler", ["tpe", "cma_es", "nsga2", "random", "grid"])
def test_forty_trials_by_two_processes_killed_once(tmp_path, sampler):
    keys = {"sampler": sampler, "pruner": "hyperband" if sampler == "random" else "median"}
    searching = Searching(tmp_path, keys, GRID if sampler == "grid" else None)
    searching.run_killed_once()
    rows = searching.rows()
    # What every trial would reach, whether or not it was stopped. Hopeless is one that is worse
    # than half of those before it: of later ones, which may all be better, no pruner knows.
    values = [_value(row) for row in rows]
    hopeless = {
        row["trial"]
        for number, row in enumerate(rows)
        if number and values[number] < statistics.median(values[:number])
    }
    stopped = {row["trial"] for row in rows if row["state"] == "pruned"}
    assert len(stopped & hopeless) >= len(hopeless) / 3
    if sampler == "grid":
        keys = list(load_search(searching.file).space.parameters)
        assert len({tuple(row[key] for key in keys) for row in rows}) == TRIALS


def test_forty_trials_in_postgresql(tmp_path, postgresql):
    keys = {"sampler": "tpe", "pruner": "median", "storage": postgresql}
    searching = Searching(tmp_path, keys)
    searching.run_killed_once()
    assert not (searching.folder / "study.db").exists()
    # Another folder's search of the same name is not this one.
    with pytest.raises(ConfigurationError, match=r'has a search "formula" already.*another name'):
        search(load_search(searching.file), tmp_path / "other")


def test_a_database_that_cannot_be_reached(tmp_path, plan):
    nowhere = f"storage=postgresql+psycopg://lensnet@/postgres?host={tmp_path}"
    with pytest.raises(LensnetError, match="database of the search cannot be used.*--resume"):
        search(plan(nowhere), tmp_path / "found")


def test_killed_again_and_again(tmp_path):
    """Twelve kills at other moments each: drawing, reporting, writing results."""
    searching = Searching(tmp_path, {"sampler": "tpe", "pruner": "none"})
    kills = 12
    for kill in range(kills):
        searching.start(2)
        searching.wait_for(lines=len(searching.notes()) + 3 + 2 * kill)
        time.sleep(0.013 * kill)
        searching.kill()
        if len(searching.notes()) > 300:
            break
    searching.start(2)
    searching.wait()
    rows = searching.rows()
    assert [row["state"] for row in rows] == ["complete"] * TRIALS
    folder = SearchFolder(searching.folder)
    (states,) = [{t.state.name for t in SharedStudy(folder.read_plan(), folder).trials()}]
    assert states == {"COMPLETE"}


def _value(row):
    rate = float(row["training.optimizer.learning_rate"])
    return 1 - abs(math.log10(rate) + 3) / 4 - float(row["model.head.dropout"]) / 4
