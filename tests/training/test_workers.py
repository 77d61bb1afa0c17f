"""Several devices learn what one does, and end together when one of them dies."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from lens_images import experiment_on
from worker_processes import run_workers, start_workers

from lensnet.config import Experiment
from lensnet.config.documents import dump
from lensnet.training import fit

pytestmark = pytest.mark.slow

TRAINING = {
    "epochs": 3,
    "batch_size": 8,
    # Of Adam, a gradient of nearly zero decides by its sign, which is one of rounding.
    # Nor is a rate to be so high that rounding grows from step to step.
    "optimizer": {"name": "sgd", "learning_rate": 0.005},
    "schedule": {"name": "constant"},
    "checkpoint": {"steps": 1},
}
MODEL = {"backbone": "resnet18", "symmetry": "c4", "width": 0.125}

MIRRORED = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from lensnet.config import Experiment
from lensnet.training import fit
fit(Experiment.model_validate(json.loads(sys.argv[1])), sys.argv[2])
"""


NORMALIZED = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
import numpy as np
from lensnet.layers import FieldNormalization
from lensnet.training.devices import create_strategy
from lensnet.training.keras_replicas import fitting_with_replicas
from lensnet.training.replicas import divide_batches, normalize_together

random = np.random.default_rng(0)
images = random.normal(size=(32, 6, 6, 1)).astype("float32")
targets = random.normal(size=(32, 1)).astype("float32")

def batches_of(share):
    batches = tf.data.Dataset.from_tensor_slices((images, targets)).batch(8)
    if share is None:
        return batches
    rows = share.rows(8)
    return batches.map(lambda x, y: (tf.constant(8, tf.int64), x[rows], y[rows]))

def trained(name, normalization, together):
    keras.utils.set_random_seed(0)
    strategy = create_strategy(name)
    with strategy.scope():
        image = keras.Input((6, 6, 1))
        x = normalization(keras.layers.Conv2D(8, 3)(image))
        x = keras.layers.Conv2D(8, 3)(keras.layers.Activation("relu")(x))
        model = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
        if together:
            normalize_together(model, strategy)
        model.compile(keras.optimizers.SGD(0.05), "mse", jit_compile=False)
    with fitting_with_replicas(model, strategy):
        divided = divide_batches(batches_of, strategy, weigh=False)
        model.fit(divided, steps_per_epoch=4, shuffle=False, verbose=0)
    return model.get_weights()

makers = (lambda: FieldNormalization("c4"), lambda: keras.layers.BatchNormalization(momentum=0.9))
for make in makers:
    one = trained("one_device", make(), True)
    for together in (True, False):
        two = trained("mirrored", make(), together)
        difference = max(abs(a - b).max() for a, b in zip(one, two))
        # Without, it is another training.
        assert difference < 1e-5 if together else difference > 1e-3, (together, difference)
"""

OFFSET = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
import numpy as np
from lensnet.layers import FieldNormalization
from lensnet.training.devices import create_strategy
from lensnet.training.replicas import normalize_together

maps = (3000 + np.random.default_rng(0).normal(size=(8, 6, 6, 4))).astype("float32")
strategy = create_strategy("mirrored")
parts = strategy.experimental_distribute_values_from_function(
    lambda context: tf.constant(maps[context.replica_id_in_sync_group::2])
)
field, channel = maps.astype("float64").var(), maps.astype("float64").var(axis=(0, 1, 2))
for kind, expected in (
    (lambda: FieldNormalization("c4", momentum=0.0), field),
    (lambda: keras.layers.BatchNormalization(momentum=0.0), channel),
):
    with strategy.scope():
        model = keras.Sequential([keras.Input((6, 6, 4)), kind()])
        normalize_together(model, strategy)
    tf.function(lambda: strategy.run(lambda x: model(x, training=True), args=(parts,)))()
    found = np.asarray(model.layers[-1].moving_variance)
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), rtol=1e-5)
"""

CHECKED = """
from lensnet.errors import RunError
from lensnet.training.cluster import check_cluster
from lensnet.training.devices import create_strategy
from lensnet.training.workers import check_same

strategy = create_strategy("multi_worker")
check_same(strategy, [3, 20_000], "checkpoint")
try:
    check_same(strategy, [3, 20_000 + check_cluster().index], "checkpoint")
except RunError as error:
    print(error)
"""


def test_workers_that_are_a_step_apart_are_refused():
    """All of them, and the one that has the mean of the others' steps."""
    codes, outputs = run_workers([[]] * 3, CHECKED)
    assert codes == [0, 0, 0], outputs
    assert all("do not begin with the same checkpoint" in output for output in outputs), outputs


@pytest.mark.parametrize("script", [NORMALIZED, OFFSET], ids=["in training", "far from zero"])
def test_devices_normalise_by_the_whole_batch(script):
    """Far from zero, the difference of two squares would have a few digits or none."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-3000:]


def content(image_folder, data_dir, **training):
    return experiment_on(image_folder, data_dir, training={**TRAINING, **training}, model=MODEL)


@pytest.fixture(scope="module")
def alone(image_folder, data_dir, tmp_path_factory):
    """The last weights of one process with one device."""
    run = tmp_path_factory.mktemp("alone") / "run"
    fit(Experiment.model_validate(content(image_folder, data_dir)), run)
    return last_weights(run)


def last_weights(run):
    return keras.models.load_model(run / "checkpoints" / "last.keras").get_weights()


def assert_close(mine, theirs):
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)


def stored(path):
    with np.load(path) as archive:
        return [archive[name] for name in archive.files]


def test_two_mirrored_devices_learn_what_one_does(alone, image_folder, data_dir, tmp_path):
    experiment = content(image_folder, data_dir, strategy="mirrored")
    command = [sys.executable, "-c", MIRRORED, json.dumps(experiment), str(tmp_path / "run")]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert_close(last_weights(tmp_path / "run"), alone)


class TestTwoWorkers:
    @pytest.fixture
    def arguments(self, image_folder, data_dir, tmp_path):
        path = tmp_path / "two.yaml"
        path.write_text(dump(content(image_folder, data_dir, strategy="multi_worker")))
        command = ("fit", path, "--resume", "--run-dir", tmp_path / "run")
        return [(tmp_path / f"weights{index}.npz", *command) for index in range(2)]

    def check(self, alone, tmp_path):
        one, other = (stored(tmp_path / f"weights{index}.npz") for index in range(2))
        for mine, theirs in zip(one, other, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert_close(one, alone)

    def test_they_learn_what_one_does(self, alone, arguments, tmp_path):
        codes, outputs = run_workers(arguments)
        assert codes == [0, 0], outputs[0][-3000:] + outputs[1][-3000:]
        self.check(alone, tmp_path)

    @pytest.mark.parametrize("victim", [0, 1], ids=["the chief", "the other"])
    def test_one_is_killed_and_all_go_on(self, alone, arguments, tmp_path, victim):
        workers = start_workers(arguments)
        checkpoint = Path(tmp_path / "run" / "checkpoints" / "last.npz")
        try:
            while not checkpoint.exists():
                assert all(worker.poll() is None for worker in workers)
                time.sleep(0.01)
            workers[victim].kill()
            start = time.monotonic()
            output, _ = workers[1 - victim].communicate(timeout=120)
            seconds = time.monotonic() - start
        finally:
            for worker in workers:
                worker.kill()
        assert workers[1 - victim].returncode == 1, output
        assert "start the same command with --resume on all workers" in output
        assert "Traceback" not in output
        assert seconds < 60
        codes, outputs = run_workers(arguments)
        assert codes == [0, 0], outputs[0][-3000:] + outputs[1][-3000:]
        assert "Resuming in epoch" in outputs[0]
        self.check(alone, tmp_path)
