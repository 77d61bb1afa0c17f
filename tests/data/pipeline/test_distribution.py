"""Training batches reach several devices, each its share, in the same order as one device."""

import subprocess
import sys

import pytest

CODE = """
import json, sys
import numpy as np
import tensorflow as tf
from lensnet.config import Experiment
from lensnet.data import prepare

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
data = prepare(Experiment.model_validate_json(sys.argv[1]))
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
alone = [images.numpy() for images, _ in data.training_batches(8, epochs=2)]
shared = strategy.experimental_distribute_dataset(data.training_batches(8, epochs=2))
for whole, (images, _) in zip(alone, shared, strict=True):
    parts = [part.numpy() for part in strategy.experimental_local_results(images)]
    assert len(parts) == 2 and len(parts[0]) >= len(parts[1])
    np.testing.assert_array_equal(np.concatenate(parts), whole)
print("equal", len(alone))
"""


@pytest.mark.processes
def test_two_devices_share_each_batch(write_folder, make_experiment):
    experiment = make_experiment(write_folder({"a": 20, "b": 20}))
    done = subprocess.run(
        [sys.executable, "-c", CODE, experiment.model_dump_json()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("equal")
