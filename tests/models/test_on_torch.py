"""The zoo on PyTorch: a handful of networks, which a step of its own in CI runs.

`KERAS_BACKEND=torch python -m pytest -m torch tests/models`, with PyTorch's build for CPUs.
"""

import keras
import numpy as np
import pytest
from short_networks import KINDS_OF_BLOCKS, build_short

from lensnet.layers import fold
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(keras.backend.backend() != "torch", reason="for KERAS_BACKEND=torch"),
]

EXACT = [
    ("resnet18", "c4", 64),
    ("efficientnet_b0", "d4", 64),
    ("convnext_atto", "rot4", 65),
    ("inception_v3", "d4", 65),
    ("ecaresnet50d", "c8", 64),
    ("vit_tiny_patch16_224", "d4", 64),
]


def images_of(size, number=1):
    rng = np.random.default_rng(0)
    return rng.standard_normal((number, size, size, 1)).astype("float32")


def answer(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False))


@pytest.mark.parametrize("name", KINDS_OF_BLOCKS)
def test_every_kind_of_block_answers_and_folds(name):
    model = build_short(name, "c4")
    randomize(model, gain=2**0.5)
    images = images_of(32, 2)
    expected = answer(model, images)
    assert expected.shape == (2, 3) and np.isfinite(expected).all()
    difference = np.abs(answer(fold(model), images) - expected).max()
    assert difference <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(("name", "symmetry", "size"), EXACT)
def test_exact_invariance(name, symmetry, size):
    model = build_short(name, symmetry, size)
    randomize(model, gain=2**0.5)
    assert_equivariant(model, images_of(size), "d4" if symmetry == "d4" else "c4")


def test_without_symmetry_the_same_check_fails():
    model = build_short("resnet18", "none", 64)
    randomize(model, gain=2**0.5)
    assert equivariance_error(model, images_of(64), Group(4), outputs="invariant") > 1e-3


def test_trained_a_step_saved_and_loaded(tmp_path):
    model = build_short("resnet18", "c4")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    before = model.get_layer("head.logits").get_weights()[0]
    assert np.isfinite(model.train_on_batch(images_of(32, 4), np.array([0, 1, 2, 0])))
    assert not np.array_equal(model.get_layer("head.logits").get_weights()[0], before)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(answer(again, images_of(32)), answer(model, images_of(32)))
