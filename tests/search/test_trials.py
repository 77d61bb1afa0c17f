"""Searches whose trials are trainings."""

import csv
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from lens_images import experiment_on

from lensnet import config
from lensnet.best_epoch import BestEpochRule
from lensnet.config import Experiment
from lensnet.config.documents import dump
from lensnet.config.search import load_search
from lensnet.prediction import load
from lensnet.run_folder import RunFolder
from lensnet.search import search
from lensnet.search.objective import fit_trial
from lensnet.training import fit

PARAMETERS = {
    "training.optimizer.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "training.batch_size": [6, 8],
    "model.head": [{"units": []}, {"units": [4], "dropout": 0.25}],
}


@pytest.fixture
def write(image_folder, data_dir, tmp_path):
    def write(**keys):
        content = {
            "name": "real",
            "experiment": experiment_on(image_folder, data_dir, training={"epochs": 3}),
            "objective": "val_auc",
            "sampler": "random",
            "parameters": PARAMETERS,
            **keys,
        }
        path = tmp_path / "search.yaml"
        path.write_text(dump(content))
        return path

    return write


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def best_row(run):
    experiment = run.read_experiment()
    rule = BestEpochRule.of(experiment.training.early_stopping, experiment.task_spec.monitors)
    return rule.best_row(run.read_history())


def test_the_best_epoch_is_the_one_whose_model_is_kept(tiny_run):
    run = RunFolder(tiny_run)
    said = re.search(r"Best epoch: (\d+)", run.log_file.read_text())
    assert best_row(run)["epoch"] == said[1]


@pytest.mark.slow
def test_a_trial_is_a_run_like_any_other(write, tmp_path):
    """One that is interrupted ends with the weights of one that is not, in the same process."""
    interrupted = []

    def interrupt(experiment, run_dir, objectives, report):
        def interrupting(epoch, value):
            report(epoch, value)
            if run_dir.name == "0001" and not interrupted:
                interrupted.append(epoch)
                raise KeyboardInterrupt

        return fit_trial(experiment, run_dir, objectives, interrupting)

    plan = load_search(write(trials=2, pruner="none", objective=["val_auc", "parameters"]))
    with pytest.raises(KeyboardInterrupt):
        search(plan, tmp_path / "found", objective=interrupt)
    found = search(plan, tmp_path / "found", resume=True, objective=interrupt)
    assert interrupted == [1]
    for row in rows(found.table_file):
        run = found.trial(int(row["trial"])).path
        experiment = RunFolder.open(run).read_experiment()
        assert experiment.name == f"real-{row['trial']}"
        assert experiment.training.batch_size == int(row["training.batch_size"])
        alone = fit(config.load(run / "experiment.yaml"), tmp_path / f"alone-{row['trial']}").path
        for mine, theirs in zip(load(run).get_weights(), load(alone).get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        kept = best_row(RunFolder.open(run))
        assert float(row["val_auc"]) == float(kept["val_auc"])
    # The best is an experiment that `lensnet fit` takes.
    best = config.load(found.best_file, ["training.epochs=1"])
    assert isinstance(best, Experiment)
    assert fit(best, tmp_path / "best").model_file.is_file()


@pytest.mark.slow
def test_a_network_that_learns_nothing_is_stopped_after_an_epoch(write, tmp_path):
    """Its folder keeps what it has reached, and it is not measured."""
    rates = {"training.optimizer.learning_rate": [0.01, 0.02, 1e-9, 2e-9]}
    keys = {"trials": 4, "sampler": "grid", "parameters": rates, "objective": "val_loss"}
    plan = load_search(write(**keys, pruner={"name": "median", "startup_trials": 2}))
    found = search(plan, tmp_path / "found")
    states = [row["state"] for row in rows(found.table_file)]
    assert states[:2] == ["complete", "complete"] and states[2] == "pruned"
    stopped = found.trial(2)
    assert stopped.model_file.is_file() and not stopped.metrics_file.exists()
    assert len(stopped.read_history()) < 3


@pytest.mark.slow
def test_the_command_killed_and_gone_on_with_by_two(write, tmp_path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import tiny_backbone; "
        "tiny_backbone.register(); from lensnet.cli import main; main(sys.argv[2:])"
    )
    tests = str(Path(__file__).parents[1])
    path, folder = write(trials=5), tmp_path / "found"
    command = [sys.executable, "-c", script, tests, "search", path, "--search-dir", folder]

    def start(*options):
        return subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)

    first = start()
    end = time.monotonic() + 300
    while not list(folder.glob("trials/0001/history.csv")):
        assert first.poll() is None, first.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    for process in [start("--resume"), start("--resume")]:
        said = process.communicate(timeout=600)[1]
        assert process.returncode == 0, said
    table = rows(folder / "trials.csv")
    assert [row["trial"] for row in table] == [f"000{number}" for number in range(5)]
    assert {row["state"] for row in table} <= {"complete", "pruned"}
    for row in table:
        history = rows(folder / "trials" / row["trial"] / "history.csv")
        assert [int(r["epoch"]) for r in history] == list(range(1, int(row["epochs"]) + 1))
    assert not list(folder.glob("claims/*")), "nothing is left of who worked on what"
