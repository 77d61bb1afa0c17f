"""The history for Weights & Biases and for TensorBoard, from the callbacks alone."""

import json
import shutil
import struct
import sys
import types

import pytest
from lens_images import experiment_on

from lensnet.config import Experiment
from lensnet.errors import ConfigurationError
from lensnet.run_folder import RunFolder
from lensnet.training.tracking import TensorBoardScalars, tracking

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
        self.logged, self.finished = [], []

    def log(self, values, step):
        self.logged.append((step, values))

    def finish(self, exit_code=0):
        self.finished.append(exit_code)


@pytest.fixture
def stand_in(monkeypatch):
    """Replaces the package by what records the calls, which its documentation names."""
    remote, started = RecordingRun(), []

    def init(**options):
        started.append(options)
        return remote

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    return remote, started


def test_what_weights_and_biases_is_told(experiment, tmp_path, stand_in):
    remote, started = stand_in
    tracked = experiment(tensorboard=False, wandb={"project": "lenses", "mode": "offline"})
    with tracking(tracked, RunFolder(tmp_path)) as tracker:
        (callback,) = tracker.callbacks
        train(callback)
        assert remote.finished == [], "what is measured after the training belongs to the run"
    (options,) = started
    assert options["project"] == "lenses" and options["entity"] is None
    assert options["mode"] == "offline" and options["dir"] == str(tmp_path)
    assert options["name"] == tracked.name
    assert options["config"]["training"]["optimizer"]["name"] == "adamw"
    assert remote.logged == [(1, HISTORY[0]), (2, HISTORY[1])]
    assert remote.finished == [0]


def test_a_run_that_is_gone_on_with_is_the_same_one_there(experiment, tmp_path, stand_in):
    remote, started = stand_in
    tracked = experiment(tensorboard=False, wandb={"project": "lenses"})
    with pytest.raises(KeyboardInterrupt), tracking(tracked, RunFolder(tmp_path)):
        raise KeyboardInterrupt
    assert remote.finished == [1]
    with tracking(tracked, RunFolder(tmp_path)):
        pass
    assert started[0]["id"] == started[1]["id"]
    assert [options["resume"] for options in started] == ["allow", "allow"]


def records_of(path):
    """Reads a file of W&B's: a header, then records in blocks of 32 KiB, as LevelDB's log has them.

    Each part of a record has four bytes of a checksum, two of its length, and one that says whether
    the record is whole (1), or begins (2), goes on (3) or ends (4).
    """
    from wandb.proto import wandb_internal_pb2

    content, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


@pytest.mark.slow
def test_the_package_itself_offline(experiment, tiny_run, tmp_path, monkeypatch):
    """Curves, confusion matrix, ROC, figures, metrics and the model, in the file that it syncs."""
    pytest.importorskip("wandb", reason="the extra `wandb` is not installed")
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = RunFolder(tmp_path / "run")
    shutil.copytree(tiny_run, run.path)
    tracked = experiment(tensorboard=False, wandb={"project": "lenses", "mode": "offline"})
    with tracking(tracked, run) as tracker:
        train(*tracker.callbacks)
        tracker.log_results()
    (written,) = (run.path / "wandb").glob("offline-run-*/*.wandb")
    records = list(records_of(written))
    (started,) = [record.run for record in records if record.HasField("run")]
    assert started.project == "lenses" and started.display_name == tracked.name
    history = [item for r in records if r.HasField("history") for item in r.history.item]
    logged = {(*item.nested_key, item.key)[0]: json.loads(item.value_json) for item in history}
    assert {"loss", "val_loss", "test/confusion_matrix_table", "test/roc_table"} <= logged.keys()
    assert logged["loss"] == HISTORY[-1]["loss"]
    assert {f"figures/{path.stem}" for path in run.figures_dir.glob("*.png")} <= logged.keys()
    summary = {
        item.key: json.loads(item.value_json)
        for record in records
        if record.HasField("summary")
        for item in record.summary.update
    }
    metrics = run.read_json("metrics.json")
    assert summary["test/roc_auc"] == metrics["test"]["roc_auc"]
    sent = [record.artifact for record in records if record.HasField("artifact")]
    (model,) = [artifact for artifact in sent if artifact.type == "model"]
    assert model.name == "tiny-model"
    (table,) = (written.parent / "files").rglob("roc_table*.json")
    points = json.loads(table.read_text())
    assert points["columns"] == ["class", "fpr", "tpr"]
    assert [points["data"][0][1:], points["data"][-1][1:]] == [[0, 0], [1, 1]]


def test_a_package_that_is_not_installed(experiment, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    tracked = experiment(wandb={"project": "lenses"})
    with (
        pytest.raises(ConfigurationError, match="needs the wandb package") as caught,
        tracking(tracked, RunFolder(tmp_path)),
    ):
        pass
    assert caught.value.exit_code == 2


def test_no_tracking_at_all(experiment, tmp_path):
    with tracking(experiment(tensorboard=False, wandb=None), RunFolder(tmp_path)) as tracker:
        assert tracker.callbacks == [] and tracker.wandb is None


def test_tensorboard_events(experiment, tmp_path):
    import tensorflow as tf
    from tensorflow.python.summary.summary_iterator import summary_iterator

    with tracking(experiment(tensorboard=True), RunFolder(tmp_path)) as tracker:
        (callback,) = tracker.callbacks
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
