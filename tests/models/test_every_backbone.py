"""What every name of the zoo keeps, looped over the zoo's own table.

The quick part takes the smallest name of each family, but of the Inceptions one; the others are
marked slow.
"""

import contextlib

import keras
import numpy as np
import pytest

import lensnet
from lensnet import registry
from lensnet.models.kit.counting import count
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="compiles every shape anew, for minutes"
)

NAMES = [name for name in registry.backbones.names() if name != "tiny"]
SHAPE = (64, 64, 1)


def _smallest_of_each_family():
    smallest = {}
    for name in NAMES:
        spec = registry.backbones.get(name)
        cost = count(spec, input_shape=SHAPE, num_outputs=3).multiply_adds
        if cost < smallest.get(spec.family, (float("inf"), ""))[0]:
            smallest[spec.family] = (cost, name)
    return {name for _, name in smallest.values()} - {"inception_v4", "inception_resnet_v2"}


QUICK = _smallest_of_each_family()
EVERY_NAME = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in NAMES]
)


def narrow(name, symmetry, size=64, **options):
    """A network of an eighth of the width, with every weight and statistic random."""
    return lensnet.models.create(
        name,
        input_shape=(size, size, 1),
        num_outputs=3,
        symmetry=symmetry,
        width=0.125,
        **options,
    )


@contextlib.contextmanager
def dtype_policy(name):
    """What is made inside has this policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def answer(model, images):
    """Without a graph, which would take longer to make than to use."""
    return keras.ops.convert_to_numpy(model(images, training=False))


def images_of(size, number=1):
    rng = np.random.default_rng(0)
    return rng.standard_normal((number, size, size, 1)).astype("float32")


def exact(name):
    """The precision in which outputs are compared to 1e-5.

    Single for the quick ones. With random weights the deepest networks turn its rounding into other
    answers (EfficientNet-B8, c4: 0.8, and 1e-7 in double), so the others are shown in double
    precision that it is nothing but rounding.
    """
    return dtype_policy("float32" if name in QUICK else "float64")


@pytest.mark.parametrize(("symmetry", "size"), [("c4", 65), ("d4", 64), ("rot4", 65)])
@EVERY_NAME
def test_exact_invariance(name, symmetry, size):
    """No output changes by more than 1e-5 of the largest."""
    with exact(name):
        model = narrow(name, symmetry, size)
    # Without this gain a signal dies away in a deep network, and what is left is its offsets.
    randomize(model, gain=2**0.5)
    assert_equivariant(model, images_of(size), "d4" if symmetry == "d4" else "c4", tolerance=1e-5)


@pytest.mark.parametrize("name", sorted(QUICK))
def test_without_symmetry_the_same_check_fails(name):
    model = narrow(name, "none", 65)
    randomize(model, gain=2**0.5)
    assert equivariance_error(model, images_of(65), Group(4), outputs="invariant") > 1e-3


@pytest.mark.parametrize("name", sorted(QUICK))
def test_c8_is_exact_at_right_angles(name):
    model = narrow(name, "c8", 65)
    randomize(model, gain=2**0.5)
    assert_equivariant(model, images_of(65), "c4", tolerance=1e-5)


@EVERY_NAME
def test_trained_a_step_saved_loaded_and_folded(name, tmp_path):
    with exact(name):
        model = narrow(name, "c4")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, run_eagerly=True)
    before = model.get_layer("head.logits").get_weights()[0]
    assert np.isfinite(model.train_on_batch(images_of(64, 4), np.array([0, 1, 2, 0])))
    assert not np.array_equal(model.get_layer("head.logits").get_weights()[0], before)
    randomize(model, gain=2**0.5)
    images = images_of(64)
    expected = answer(model, images)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(answer(again, images), expected)
    folded = lensnet.layers.fold(model)
    assert {type(layer).__module__.split(".")[0] for layer in folded.layers} == {"keras"}
    difference = np.abs(answer(folded, images) - expected).max()
    assert difference <= 1e-5 * np.abs(expected).max()


@EVERY_NAME
def test_mixed_precision(name):
    with dtype_policy("mixed_bfloat16"):
        model = narrow(name, "d4", activation="softmax")
    probabilities = answer(model, images_of(64))
    assert probabilities.dtype == "float32"
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@EVERY_NAME
def test_stages(name):
    """Maps become smaller, the last is what the head sees, and each stage has layers."""
    model = narrow(name, "c4", features_only=True)
    maps = model.output
    sizes = [tensor.shape[1] for tensor in maps.values()]
    assert len(maps) >= 3 and sizes == sorted(sizes, reverse=True)
    assert all(tensor.shape[-1] % 4 == 0 for tensor in maps.values()), "whole fields"


@pytest.mark.parametrize("size", [(48, 80), (97, 97)])
@pytest.mark.parametrize("name", sorted(QUICK))
def test_any_image_size_and_number_of_bands(name, size):
    model = lensnet.models.create(name, input_shape=(*size, 5), num_outputs=2, width=0.125)
    images = np.zeros((1, *size, 5), "float32")
    assert answer(model, images).shape == (1, 2)
