"""The history for Weights & Biases and for TensorBoard, from the callbacks alone."""

import sys
import types

import pytest
from lens_images import experiment_on

from lensnet.config import Experiment
from lensnet.errors import ConfigurationError
from lensnet.training.tracking import TensorBoardScalars, WandBScalars, tracking_callbacks

HISTORY = [{"loss": 1.0, "val_loss": 1.5}, {"loss": 0.5, "val_loss": 0.75}]


@pytest.fixture
def experiment(tmp_path):
    def with_tracking(**tracking):
        content = experiment_on(tmp_path / "images", tmp_path / "prepared")
        return Experiment.model_validate({**content, "tracking": tracking})

    return with_tracking


def train(callback):
    """Calls a callback as a training of two epochs does."""
    callback.on_train_begin()
    for epoch, logs in enumerate(HISTORY):
        callback.on_epoch_end(epoch, logs)
    callback.on_train_end()


class RecordingRun:
    """Stands for a run of W&B, and notes what it is told."""

    def __init__(self):
        self.logged, self.finished = [], 0

    def log(self, values, step):
        self.logged.append((step, values))

    def finish(self):
        self.finished += 1


def test_what_weights_and_biases_is_told(experiment, tmp_path, monkeypatch):
    """A stand-in of the package records the calls, which the package's documentation names."""
    run, started = RecordingRun(), []

    def init(**options):
        started.append(options)
        return run

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    tracked = experiment(tensorboard=False, wandb={"project": "lenses", "mode": "offline"})
    (callback,) = tracking_callbacks(tracked, tmp_path)
    train(callback)
    (options,) = started
    assert options["project"] == "lenses" and options["entity"] is None
    assert options["mode"] == "offline" and options["dir"] == str(tmp_path)
    assert options["name"] == tracked.name
    assert options["config"]["training"]["optimizer"]["name"] == "adamw"
    assert run.logged == [(1, HISTORY[0]), (2, HISTORY[1])]
    assert run.finished == 1


def test_the_package_itself_offline(experiment, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    tracked = experiment(tensorboard=False, wandb={"project": "lenses", "mode": "offline"})
    callback = WandBScalars(tracked, tmp_path)
    run = wandb.run
    assert run.name == tracked.name and run.project == "lenses"
    assert run.config["model"]["backbone"] == tracked.model.backbone
    train(callback)
    assert wandb.run is None, "the run is finished"
    (written,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    content = written.read_bytes()
    # What is logged stands there as JSON, each value after its name.
    for logs in HISTORY:
        for name, value in logs.items():
            assert name.encode() in content and str(value).encode() in content


def test_a_package_that_is_not_installed(experiment, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    tracked = experiment(wandb={"project": "lenses"})
    with pytest.raises(ConfigurationError, match="needs the wandb package") as caught:
        tracking_callbacks(tracked, tmp_path)
    assert caught.value.exit_code == 2


def test_no_tracking_at_all(experiment, tmp_path):
    assert tracking_callbacks(experiment(tensorboard=False, wandb=None), tmp_path) == []


def test_tensorboard_events(experiment, tmp_path):
    import tensorflow as tf
    from tensorflow.python.summary.summary_iterator import summary_iterator

    (callback,) = tracking_callbacks(experiment(tensorboard=True), tmp_path)
    assert isinstance(callback, TensorBoardScalars)
    train(callback)
    (events,) = (tmp_path / "tensorboard").iterdir()
    written = {
        (event.step, value.tag): float(tf.make_ndarray(value.tensor))
        for event in summary_iterator(str(events))
        for value in event.summary.value
    }
    assert written == {
        (epoch, name): value
        for epoch, logs in enumerate(HISTORY, 1)
        for name, value in logs.items()
    }
