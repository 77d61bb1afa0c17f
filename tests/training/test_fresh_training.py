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
from unmeasured_training import train_unmeasured

from lensnet.config import Experiment
from lensnet.config.documents import dump
from lensnet.evaluation.evaluating import evaluate_run
from lensnet.run_folder import RunFolder
from lensnet.training import fit, learning, run_checkpoint

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
    """What the last checkpoint of a training holds."""
    run = train_unmeasured(content, path, resuming=resuming)
    with np.load(run / "checkpoints" / "last.npz") as archive:
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
for run in ("killed", "interrupted"):
    try:
        main(["fit", sys.argv[1], "--run-dir", run])
    except SystemExit as leave:
        print("Left with", leave.code, file=sys.stderr, flush=True)
"""


@pytest.mark.processes
def test_what_ends_a_training_is_one_line_and_leaves_no_process(data_dir, tmp_path):
    """A death of a process that simulates, then a Ctrl-C in a second training."""
    training = {"epochs": 1000, "steps_per_epoch": 100, "early_stopping": None}
    content = content_of(data_dir, **training)
    content["data"]["augmentation"] = []
    (tmp_path / "fresh.yaml").write_text(dump(content))
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(tmp_path / "fresh.yaml")],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONPATH": TESTS},
    )
    try:
        workers = workers_of(process)
        os.kill(workers[0], signal.SIGKILL)
        killed = lines_to_the_end(process)
        assert not alive(workers)
        workers = workers_of(process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal sends Ctrl-C, to all
        interrupted = lines_to_the_end(process)
        assert not alive(workers)
        assert process.wait(timeout=60) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stderr.close()
    (said,) = killed
    message = "Error: A process that simulates images was killed by signal 9. There may be "
    assert said.startswith(message)
    asked, said = interrupted
    assert asked == "Stopping after this step; Ctrl-C ends at once."
    assert said.startswith("Error: Stopped by Ctrl-C in epoch ")


def workers_of(process):
    """The simulating processes of a training, once it has begun."""
    for line in process.stderr:
        if line.startswith("Epoch 1/"):
            break
    # The first child is multiprocessing's own, which ends by itself.
    workers = children_of(process.pid)[1:]
    assert workers
    return workers


def lines_to_the_end(process):
    """What a training says until it leaves, which it does with an error."""
    lines = []
    for line in map(str.strip, process.stderr):
        if line.startswith("Left with"):
            assert line == "Left with 1"
            return lines
        if line and not line.startswith("Epoch "):
            lines.append(line)
    raise AssertionError(lines)


def alive(processes):
    return [process for process in processes if Path(f"/proc/{process}").exists()]


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
from unmeasured_training import train_unmeasured
for strategy in ("one_device", "mirrored"):
    content = json.loads(sys.argv[1])
    content["training"]["strategy"] = strategy
    train_unmeasured(content, f"{sys.argv[2]}/{strategy}")
"""


@pytest.mark.processes
def test_two_devices_share_the_batches_of_one(data_dir, tmp_path):
    """The same images: without dropout and batch normalisation's parts, the same loss."""
    content = content_of(data_dir, optimizer={"name": "sgd", "learning_rate": 1e-6})
    content["model"]["head"] = {}
    content["data"]["augmentation"] = []
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
