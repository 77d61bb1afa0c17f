"""A run that was stopped, asked or killed, at any step, goes on and ends as one never stopped."""

import csv
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import keras
import numpy as np
import pytest
from lens_images import experiment_on

from lensnet import config
from lensnet.config import Experiment
from lensnet.config.control import Checkpoints
from lensnet.config.sections import EarlyStopping
from lensnet.errors import RunError
from lensnet.interruption import Interrupted, Interruption
from lensnet.prediction import load
from lensnet.run_folder import RunFolder
from lensnet.training import fit, run_checkpoint
from lensnet.training.checkpoint import save_checkpoint
from lensnet.training.pace import Pace
from lensnet.training.progress_bar import ProgressBar


def experiment(image_folder, data_dir, **sections):
    return Experiment.model_validate(experiment_on(image_folder, data_dir, **sections))


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def weights(run):
    return load(run).get_weights()


def assert_equal_weights(one, other):
    for mine, theirs in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def assert_same_run(one, other):
    """The same weights, predictions and history, but for how long an epoch took."""
    assert_equal_weights(one, other)
    runs = (one, other)
    predictions = [(run / "predictions.csv").read_text() for run in runs]
    assert predictions[0] == predictions[1]
    histories = [rows(run / "history.csv") for run in runs]
    for row in itertools.chain(*histories):
        del row["seconds"]
    assert histories[0] == histories[1]


class TestRunCheckpoint:
    def checkpoint(self, run, held, early_stopping=None):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        pace = Pace(Checkpoints(), None, Interruption())
        made = run_checkpoint.RunCheckpoint(
            run, early_stopping, lambda: model, {"val_loss": "min"}, held, pace
        )
        made.set_params({"epochs": 8})
        made.set_model(model)
        return made

    def test_early_stopping_keeps_the_best_epoch(self, tmp_path):
        """It waits two epochs for a better one, of which the gain must be large enough."""
        run = RunFolder(tmp_path / "run")
        stopping = EarlyStopping(patience=2, min_delta=0.01)
        with run.held("lensnet fit") as held:
            checkpoint = self.checkpoint(run, held, stopping)
            for epoch, loss in enumerate((0.9, 0.5, 0.7, 0.495, 0.1)):
                checkpoint.model.layers[0].kernel.assign([[float(epoch)]])
                checkpoint.on_epoch_begin(epoch)
                checkpoint.on_epoch_end(epoch, {"loss": 1.0, "val_loss": loss})
                if checkpoint.model.stop_training:
                    break
        assert (epoch, checkpoint.history.best_epoch, checkpoint.ended) == (3, 2, True)
        assert [row["val_loss"] for row in rows(run.path / "history.csv")] == (
            ["0.9", "0.5", "0.7", "0.495"]
        )
        assert keras.models.load_model(run.model_file).layers[0].kernel[0, 0] == 1.0

    def test_one_of_an_earlier_version_is_of_a_whole_epoch(self, tmp_path):
        run = RunFolder(tmp_path / "run")
        model = self.checkpoint(run, None).model
        state = {"best": 0.5, "best_epoch": 1, "epochs_since_best": 0, "ended": False}
        history = [{"epoch": 1, "val_loss": 0.5, "seconds": 7.5}]
        save_checkpoint(run.checkpoint_file, model, {**state, "history": history})
        run.model_file.touch()
        later = self.checkpoint(run, None)
        assert later.restore(later.model)
        assert (later.next_epoch, later.steps_done, later.pace.seconds_before) == (1, 0, 7.5)

    def test_nothing_is_written_into_a_folder_that_was_lost(self, tmp_path):
        run = RunFolder(tmp_path / "run")
        with run.held("lensnet fit") as held:
            checkpoint = self.checkpoint(run, held)
            shutil.rmtree(run.path)
            run.path.mkdir()
            with pytest.raises(RunError, match="no longer holds"):
                checkpoint.on_epoch_end(0, {"loss": 1.0, "val_loss": 1.0})
            assert list(run.path.iterdir()) == []

    def test_without_its_model_training_begins_anew(self, tiny_run, tmp_path):
        """The best weights cannot be had from the checkpoint, which may be of a later epoch."""
        run = RunFolder(Path(shutil.copytree(tiny_run, tmp_path / "run")))
        run.model_file.unlink()
        checkpoint = self.checkpoint(run, None)
        assert not checkpoint.restore(keras.Sequential([keras.Input((1,))]))
        assert (checkpoint.next_epoch, checkpoint.steps_done) == (0, 0)


@pytest.fixture(scope="module")
def whole(image_folder, data_dir, tmp_path_factory):
    """A run never stopped, of the experiment of `TestResume`.

    Beside it lies `killed`, what a kill after three of the four steps of the second epoch leaves.
    """
    sections = experiment(image_folder, data_dir, **TestResume.SECTIONS)
    run = tmp_path_factory.mktemp("whole") / "run"

    class Copying(ProgressBar):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if (batch, len(list(run.glob("model.keras")))) == (2, 1):
                if not run.with_name("killed").exists():
                    # Its lock is that of a process that lives.
                    without = shutil.ignore_patterns(".lock*")
                    shutil.copytree(run, run.with_name("killed"), ignore=without)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lensnet.training.learning.ProgressBar", Copying)
        return fit(sections, run).path


class TestResume:
    """A run stopped after any epoch and resumed ends with the weights of one never stopped."""

    SECTIONS: ClassVar = {
        # Each part of the recipe has a state: moments and slow weights, sums of gradients, what
        # the schedule waits for and has lowered, the mean of the weights.
        "training": {
            "epochs": 3,
            "batch_size": 9,
            "optimizer": {"name": "ranger", "weight_decay": 0.01},
            "gradient_accumulation_steps": 2,
            "schedule": {
                "name": "reduce_on_plateau",
                "patience": 1,
                "min_delta": 10,
                "warmup_epochs": 1,
            },
            "weight_averaging": {"name": "ema", "decay": 0.9},
            "checkpoint": {"steps": 3},
        },
        # Dropout draws random numbers, whose state must be taken up too, and batch normalisation
        # has moving statistics.
        "model": {"symmetry": "none", "head": {"units": [8], "dropout": 0.5}},
        # Of each kind of change, and a sampler that goes through a class across epochs.
        "data": {
            "normalization": {"stretch": "asinh", "scale": "dataset_standard"},
            "balance": "balanced",
            "augmentation": ["flip", {"rotate": {"degrees": 15}}, "noise", "mixup"],
        },
    }

    def test_stopped_when_only_the_measurements_were_left(self, whole, tmp_path):
        """What kills between two files have left out is made again, too.

        Of the experiment that the whole run has written out: it is the same experiment.
        """
        run = Path(shutil.copytree(whole, tmp_path / "run"))
        for name in ("metrics.json", "predictions.csv", "report.html"):
            (run / name).unlink()
        shutil.rmtree(run / "figures")
        made_again = ("lensnet.json", "environment.json", "data.json", "history.csv")
        for name in made_again:
            (run / name).unlink()
        fit(config.load(whole / "experiment.yaml"), run, resume=True)
        assert_same_run(whole, run)
        before = json.loads((whole / "data.json").read_text())
        assert json.loads((run / "data.json").read_text()) == before
        assert all((run / name).is_file() for name in made_again)

    def test_another_experiment_is_refused(self, whole, image_folder, data_dir):
        other = experiment(image_folder, data_dir, **{**self.SECTIONS, "seed": 1})
        with pytest.raises(RunError, match="started with other values of seed;"):
            fit(other, whole, resume=True)

    def test_a_damaged_checkpoint(self, whole, image_folder, data_dir, tmp_path):
        run = tmp_path / "run"
        shutil.copytree(whole, run)
        checkpoint = run / "checkpoints" / "last.npz"
        checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
        same = experiment(image_folder, data_dir, **self.SECTIONS)
        with pytest.raises(RunError, match="last.npz cannot be read"):
            fit(same, run, resume=True)


@pytest.mark.usefixtures("default_signals")
def test_killed_within_an_epoch_and_asked_to_stop_in_its_validation(
    whole, image_folder, data_dir, tmp_path, monkeypatch
):
    """It goes on with half of the two batches of a step, then with the validation alone."""
    run = Path(shutil.copytree(whole.with_name("killed"), tmp_path / "run"))
    assert len(rows(run / "history.csv")) == 1
    sections = experiment(image_folder, data_dir, **TestResume.SECTIONS)
    steps = []

    class Asking(ProgressBar):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            steps.append(batch)

        def on_test_batch_begin(self, batch, logs=None):
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr("lensnet.training.learning.ProgressBar", Asking)
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(Interrupted, match="Ctrl-C in epoch 2, step 4; nothing is lost.*run`"):
            fit(sections, run, resume=True)
    assert steps == [3]
    assert signal.getsignal(signal.SIGINT) == before
    assert len(rows(run / "history.csv")) == 1
    fit(sections, run, resume=True)
    assert_same_run(whole, run)
    last = [keras.models.load_model(each / "checkpoints" / "last.keras") for each in (run, whole)]
    for mine, theirs in zip(*(model.get_weights() for model in last), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.slow
def test_a_time_budget_ends_with_the_step_that_exceeds_it(image_folder, data_dir, tmp_path):
    short = experiment(image_folder, data_dir, training={"epochs": 50, "time_budget": "0.01s"})
    run = fit(short, tmp_path / "run").path
    history = rows(run / "history.csv")
    assert [row["epoch"] for row in history] == ["1"]
    metrics = json.loads((run / "metrics.json").read_text())
    expected = float(history[0]["val_accuracy"])
    assert metrics["validation"]["accuracy"] == pytest.approx(expected, abs=1e-6)
    # The mean of one batch, not of an epoch.
    with np.load(run / "checkpoints" / "last.npz") as archive:
        assert json.loads(str(archive["state"]))["ended"]
    before = (run / "history.csv").read_bytes()
    fit(short, run, resume=True)
    assert (run / "history.csv").read_bytes() == before


KILLED = """
import json, os, signal, sys
import tiny_backbone
tiny_backbone.register()
from lensnet.training import run_checkpoint
class DiesInEpoch(run_checkpoint.RunCheckpoint):
    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        if (self.next_epoch, batch) == (1, 2):
            os.kill(os.getpid(), signal.SIGKILL)
import lensnet.training.learning
lensnet.training.learning.RunCheckpoint = DiesInEpoch
from unmeasured_training import train_unmeasured
train_unmeasured(json.loads(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.processes
def test_killed_in_the_middle_of_an_epoch(whole, image_folder, data_dir, tmp_path):
    """By the system, in another process: it leaves what the test above goes on with."""
    content = experiment_on(image_folder, data_dir, **TestResume.SECTIONS)
    run, expected = tmp_path / "run", whole.with_name("killed")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps(content), str(run)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-3000:]
    assert len(rows(run / "history.csv")) == 1
    assert_equal_weights(run, expected)
    found = [dict(np.load(each / "checkpoints" / "last.npz")) for each in (run, expected)]
    states = [json.loads(str(arrays.pop("state"))) for arrays in found]
    assert [state["steps_done"] for state in states] == [3, 3]
    assert found[0].keys() == found[1].keys()
    for name, values in found[0].items():
        np.testing.assert_array_equal(values, found[1][name])
