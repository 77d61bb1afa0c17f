"""Training on fresh images: stopped and resumed, interrupted, measured, on several devices."""

import contextlib
import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pattern_dataset
import pytest

from lensnet.config import Experiment
from lensnet.config.documents import dump
from lensnet.data import prepare
from lensnet.evaluation.evaluating import evaluate_run
from lensnet.interruption import Interruption
from lensnet.run_folder import RunFolder
from lensnet.training import fit, learning, run_checkpoint
from lensnet.training.devices import create_strategy
from lensnet.training.opening import complete_folder

TESTS = str(Path(__file__).parent.parent)


@pytest.fixture(autouse=True)
def _pattern_dataset():
    pattern_dataset.register()


def content_of(data_dir, **training):
    return {
        "name": "fresh",
        "task": "classification",
        "data": {
            "dataset": "pattern_dataset/classes",
            "data_dir": str(data_dir),
            "normalization": "dataset_standard",
            "fresh": True,
            "augmentation": ["flip", "mixup"],
        },
        "model": {"backbone": "tiny", "width": 0.125, "head": {"units": [4], "dropout": 0.5}},
        "training": {
            "epochs": 2,
            "batch_size": 9,
            "steps_per_epoch": 4,
            "checkpoint": {"steps": 1},
            **training,
        },
        "tracking": {"tensorboard": False},
    }


class Interrupted(run_checkpoint.RunCheckpoint):
    """Ctrl-C in the second epoch, after a checkpoint of its second step."""

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        if (self.next_epoch, batch) == (1, 1):
            raise KeyboardInterrupt


def trained(path, content, *, resuming=False):
    """Trains without measuring; returns what the last checkpoint holds."""
    experiment = Experiment.model_validate(content)
    data = prepare(experiment)
    run = RunFolder(path) if resuming else RunFolder.create(path)
    with run.held("lensnet fit") as held:
        complete_folder(run, experiment.resolved(data.splits), data)
        strategy = create_strategy("one_device")
        learning.train(experiment, data, run, strategy, held, Interruption(), resuming=resuming)
    with np.load(run.path / "checkpoints" / "last.npz") as archive:
        return dict(archive)


def test_a_run_interrupted_and_resumed_is_one_never_stopped(data_dir, tmp_path, monkeypatch):
    """Bit for bit, and whatever was interrupted leaves no process behind."""
    before = set(multiprocessing.active_children())
    content = content_of(data_dir)
    whole = trained(tmp_path / "whole", content)
    with monkeypatch.context() as patch:
        patch.setattr(learning, "RunCheckpoint", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "run", content)
    assert set(multiprocessing.active_children()) <= before
    resumed = trained(tmp_path / "run", content, resuming=True)
    assert set(multiprocessing.active_children()) <= before
    # The state holds how long an epoch took.
    histories = [json.loads(str(arrays.pop("state")))["history"] for arrays in (whole, resumed)]
    for row in (*histories[0], *histories[1]):
        del row["seconds"]
    assert histories[0] == histories[1] and len(histories[0]) == 2
    assert whole.keys() == resumed.keys()
    for name, values in whole.items():
        np.testing.assert_array_equal(values, resumed[name])


@pytest.mark.slow
def test_a_run_from_end_to_end(data_dir, tmp_path):
    """With the mean of weights whose statistics take an epoch's images once more."""
    averaging = {"weight_averaging": {"name": "swa", "start_epoch": 1}}
    run = fit(Experiment.model_validate(content_of(data_dir, **averaging)), tmp_path / "run").path
    counts = json.loads((run / "data.json").read_text())["counts"]
    assert counts["train"] == {"a": 12, "b": 12, "c": 12}
    assert counts["test"] == {"a": 2, "b": 2, "c": 2}
    assert "36 new images an epoch of 8 x 8 pixels, 4 steps" in (run / "log.txt").read_text()
    assert "train (new every epoch)" in (run / "report.html").read_text()
    before = json.loads((run / "metrics.json").read_text())["test"]
    assert evaluate_run(RunFolder(run))["test"] == before


COMMAND = """
import signal, sys
# A script has its commands in the background ignore it, and their children do so too.
signal.signal(signal.SIGINT, signal.default_int_handler)
import pattern_dataset, tiny_backbone
tiny_backbone.register()
pattern_dataset.register()
from lensnet.cli import main
main(["fit", *sys.argv[1:]])
"""


@pytest.mark.processes
@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("kill", "Error: A process that simulates images was killed by signal 9. There may be "),
        ("interrupt", "Error: Stopped by Ctrl-C in epoch "),
    ],
)
def test_what_ends_a_training_is_one_line_and_leaves_no_process(data_dir, tmp_path, how, message):
    training = {"epochs": 1000, "steps_per_epoch": 100, "early_stopping": None}
    (tmp_path / "fresh.yaml").write_text(dump(content_of(data_dir, **training)))
    command = [sys.executable, "-c", COMMAND, str(tmp_path / "fresh.yaml")]
    process = subprocess.Popen(
        [*command, "--run-dir", str(tmp_path / "run")],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONPATH": TESTS},
    )
    try:
        for line in process.stderr:
            if line.startswith("Epoch 1/"):
                break
        # The first child is multiprocessing's own, which ends by itself.
        workers = children_of(process.pid)[1:]
        assert workers
        if how == "kill":
            os.kill(workers[0], signal.SIGKILL)
        else:  # as a terminal sends Ctrl-C, to all
            os.killpg(process.pid, signal.SIGINT)
        rest = process.communicate(timeout=60)[1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 1
    asked = "Stopping after this step; Ctrl-C ends at once."
    lines = [line for line in rest.splitlines() if line and not line.startswith("Epoch ")]
    assert (asked in lines) is (how == "interrupt")
    said = [line for line in lines if line != asked]
    assert len(said) == 1 and said[0].startswith(message)
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


def children_of(pid):
    """The processes that a process has started, in the order in which it did."""
    found = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    parents = {}
    for child in found:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2]
            parents[child] = int(status.split()[1])
    return sorted(child for child, parent in parents.items() if parent == pid)


MIRRORED = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import tiny_backbone
tiny_backbone.register()
import pattern_dataset
pattern_dataset.register()
from lensnet.config import Experiment
from lensnet.training import fit
for strategy in ("one_device", "mirrored"):
    content = json.loads(sys.argv[1])
    content["training"]["strategy"] = strategy
    fit(Experiment.model_validate(content), f"{sys.argv[2]}/{strategy}")
"""


@pytest.mark.processes
def test_two_devices_share_the_batches_of_one(data_dir, tmp_path):
    """The same images: without dropout and batch normalisation's parts, the same loss."""
    content = content_of(data_dir, optimizer={"name": "sgd", "learning_rate": 1e-6})
    content["model"]["head"] = {}
    content["data"]["augmentation"] = ["flip"]
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED, json.dumps(content), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": TESTS},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = []
    for strategy in ("one_device", "mirrored"):
        with (tmp_path / strategy / "history.csv").open(newline="") as stream:
            found.append([float(row["val_loss"]) for row in csv.DictReader(stream)])
    np.testing.assert_allclose(found[0], found[1], rtol=0.02)
