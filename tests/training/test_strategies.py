"""Training on several devices, each check in a process of its own that sees as many."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lens_images import experiment_on
from worker_processes import run_workers

from lensnet.config import Experiment
from lensnet.config.documents import dump, parse_document
from lensnet.data import prepare
from lensnet.errors import ConfigurationError
from lensnet.prediction import load
from lensnet.training import fit
from lensnet.training.replicas import check_batches

TESTS = str(Path(__file__).parent.parent)

MIRRORED = """
import json, sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)
import keras
from lensnet.training.devices import create_strategy
from lensnet.training.keras_replicas import fitting_with_replicas
from lensnet.training.replicas import divide_batches
import tiny_backbone
tiny_backbone.register()
from unmeasured_training import train_unmeasured

train_unmeasured(json.loads(sys.argv[1]), sys.argv[2])

def trained(strategy, weighted):
    random = np.random.default_rng(0)
    batches = [
        (random.normal(size=(n, 3)), random.normal(size=(n, 1)), random.uniform(1, 2, n))
        for n in (7, 4, 3, 8)
    ]
    kept = 3 if weighted else 2
    signature = tuple(tf.TensorSpec((None,) + part.shape[1:]) for part in batches[0][:kept])
    data = tf.data.Dataset.from_generator(
        lambda: (tuple(part.astype("float32") for part in batch[:kept]) for batch in batches),
        output_signature=signature,
    )
    with strategy.scope():
        model = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")]
        )
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    def batches_of(share):
        if share is None:
            return data
        def cut(*batch):
            count = tf.shape(batch[0], out_type=tf.int64)[0]
            return count, *(part[share.rows(count)] for part in batch)
        return data.map(cut)
    with fitting_with_replicas(model, strategy):
        divided = divide_batches(batches_of, strategy, weigh=True)
        model.fit(divided, epochs=1, steps_per_epoch=4, verbose=0)
        data = data.repeat()
        again = divide_batches(batches_of, strategy, weigh=False)
        measured = [model.evaluate(again, steps=4, verbose=0) for _ in range(2)]
    return [*model.get_weights(), *measured]

found = {
    name: [trained(create_strategy(name), weighted) for weighted in (False, True)]
    for name in ("one_device", "mirrored")
}
for one, other in zip(*found.values()):
    for mine, theirs in zip(one, other):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
"""


@pytest.mark.processes
@pytest.mark.parametrize(
    "precision", ["float32", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)]
)
def test_three_mirrored_devices(image_folder, data_dir, tmp_path, precision):
    """With batches that cannot be divided evenly, and a last one of two for three devices."""
    training = {
        "strategy": "mirrored",
        "precision": precision,
        "batch_size": 17,
        "weight_averaging": {"name": "ema", "decay": 0.5},
    }
    content = experiment_on(image_folder, data_dir, training=training)
    run = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED, json.dumps(content), str(run)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": TESTS},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "ran out of data" not in done.stderr
    devices = json.loads((run / "environment.json").read_text())["devices"]
    assert len(devices) == 3
    images = json.loads((run / "data.json").read_text())["counts"]["train"]
    assert 0 < sum(images.values()) % 17 < 3, "choose another batch size: this one tests nothing"
    # All have trained the model that is kept: the validation of the best epoch, by all devices
    # together, is that of the saved model on one.
    with (run / "history.csv").open(newline="") as stream:
        best = min(csv.DictReader(stream), key=lambda row: float(row["val_loss"]))
    model = load(run)
    data = prepare(Experiment.model_validate(content))
    split, labels = next(iter(data.batches("validation", 100)))
    right = (model.predict_on_batch(split) > 0.5) == (labels.numpy() > 0.5)
    assert np.mean(right) == pytest.approx(float(best["val_accuracy"]), abs=1e-5)
    rotated = [model.predict_on_batch(np.rot90(split, k, axes=(1, 2)).copy()) for k in range(4)]
    assert np.std(rotated, axis=0).max() <= (1e-5 if precision == "float32" else 1e-2)


def test_batches_that_devices_cannot_share_are_refused_before_the_training():
    with pytest.raises(ConfigurationError, match="a batch of 1 cannot be divided among 2 devices"):
        check_batches(1, {"train": 40, "validation": 9}, 2)
    with pytest.raises(ConfigurationError, match="The validation split has 3 images"):
        check_batches(8, {"train": 40, "validation": 3}, 4)
    check_batches(8, {"train": 1, "validation": 1}, 1)


STOCK = """
import numpy as np
import tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
import keras
with strategy.scope():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"], jit_compile=False)
data = tf.data.Dataset.from_tensor_slices((np.ones((8, 3), "f4"), np.ones((8, 1), "f4")))
model.fit(data.batch(4), verbose=0)
"""


@pytest.fixture
def stopped(tiny_run, tmp_path):
    """A run that was stopped after two of three epochs, to go on with two workers."""
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    content = parse_document((run / "experiment.yaml").read_text(), "").content
    # One more than a part of the training images: the last batch has one for two workers.
    images = json.loads((run / "data.json").read_text())["counts"]["train"]
    content["training"].update(
        strategy="multi_worker", epochs=3, batch_size=sum(images.values()) - 1
    )
    (run / "experiment.yaml").write_text(dump(content))
    with np.load(run / "checkpoints" / "last.npz") as archive:
        arrays = dict(archive)
    state = {**json.loads(str(arrays.pop("state"))), "ended": False}
    np.savez(run / "checkpoints" / "last.npz", state=np.array(json.dumps(state)), **arrays)
    return run


@pytest.mark.processes
def test_two_workers_go_on_and_end_with_equal_weights(stopped, tmp_path):
    arguments = ("fit", "--resume", "--run-dir", stopped)
    codes, outputs = run_workers([(tmp_path / f"weights{n}.npz", *arguments) for n in range(2)])
    assert codes == [0, 0], outputs[0][-3000:] + outputs[1][-3000:]
    assert "Resuming after epoch 2" in outputs[0]
    assert re.search(r"Batches of \d+ images in all: \d+( or \d+)? on each of 2", outputs[0])
    assert outputs[1] == "", "one of them speaks for all"
    with (stopped / "history.csv").open(newline="") as stream:
        assert [row["epoch"] for row in csv.DictReader(stream)] == ["1", "2", "3"]
    with np.load(tmp_path / "weights0.npz") as one, np.load(tmp_path / "weights1.npz") as other:
        assert one.files == other.files
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.slow  # it checks Keras, not what is here
def test_stock_keras_still_fails_with_two_workers():
    """If this fails, Keras has mended issue 20585 and needs less of training/keras_replicas.py."""
    codes, _ = run_workers([(), ()], STOCK)
    assert codes != [0, 0]


def test_several_workers_without_a_cluster(image_folder, data_dir, tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    content = experiment_on(image_folder, data_dir, training={"strategy": "multi_worker"})
    with pytest.raises(ConfigurationError, match="needs the environment variable TF_CONFIG"):
        fit(Experiment.model_validate(content), tmp_path / "run")


def test_no_tpu_here(image_folder, data_dir, tmp_path):
    content = experiment_on(image_folder, data_dir, training={"strategy": "tpu"})
    with pytest.raises(ConfigurationError, match="no TPU answers here"):
        fit(Experiment.model_validate(content), tmp_path / "run")
