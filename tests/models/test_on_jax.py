"""Every name of the zoo on JAX, where compiling single operations would take minutes.

`KERAS_BACKEND=jax python -m pytest tests/models/test_on_jax.py`, as a step of its own in CI does.
"""

import keras
import numpy as np
import pytest
from short_networks import KINDS_OF_BLOCKS, build_short

from lensnet import registry
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize

if keras.backend.backend() != "jax":
    pytest.skip("for KERAS_BACKEND=jax", allow_module_level=True)

import jax

OTHER_NAMES = [
    name for name in registry.backbones.names() if name not in ("tiny", *KINDS_OF_BLOCKS)
]

EXACT = [
    ("resnet18", "c4", 64),
    ("efficientnet_b0", "d4", 64),
    ("convnext_atto", "rot4", 65),
    ("inception_v3", "c8", 65),
    ("ecaresnet50d", "d4", 65),
    ("vit_tiny_patch16_224", "d4", 64),
    ("resnet18", "rot4_inputs", 64),
    ("lens_cnn", "d4", 65),
]


def images_of(size, number=1):
    rng = np.random.default_rng(0)
    return rng.standard_normal((number, size, size, 1)).astype("float32")


def without_values(*arguments, **options):
    """A network whose variables have shapes alone: JAX would compile random values of each."""
    with keras.StatelessScope(initialize_variables=False):
        model = build_short(*arguments, **options)
    # Keras would make up for it at the next network.
    keras.utils.clear_session(free_memory=False)
    return model


def traced(model, images):
    """The whole forward pass, translated for the compiler."""

    def forward(trainable, others, images):
        return model.stateless_call(trainable, others, images, training=False)[0]

    shapes = [
        [jax.ShapeDtypeStruct(variable.shape, variable.dtype) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    return jax.jit(forward).lower(*shapes, images)


class Compiled:
    """A network as one function: its operations one by one take ten times as long to compile."""

    def __init__(self, model):
        self.model = model

    def __call__(self, images):
        values = [
            [variable.value for variable in variables]
            for variables in (self.model.trainable_variables, self.model.non_trainable_variables)
        ]
        return np.asarray(traced(self.model, images).compile()(*values, images))


def random_network(name, symmetry, size=32, **options):
    model = without_values(name, symmetry, size, **options)
    # Without this gain a signal dies away in a deep network, and what is left is its offsets.
    randomize(model, gain=2**0.5)
    return model


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_every_name_is_built_and_called(name):
    """Of few blocks and channels; what its kinds of blocks answer is tested below."""
    model = without_values(name, "none", 32, width=1 / 64)
    called = traced(model, images_of(32, 2)).out_info
    assert called.shape == (2, 3) and called.dtype == "float32"


@pytest.mark.parametrize("symmetry", ["none", "c4"])
@pytest.mark.parametrize("name", KINDS_OF_BLOCKS)
def test_every_kind_of_block_answers(name, symmetry):
    outputs = Compiled(random_network(name, symmetry, width=1 / 64))(images_of(32, 2))
    assert outputs.shape == (2, 3) and np.isfinite(outputs).all()


@pytest.mark.parametrize(("name", "symmetry", "size"), EXACT)
def test_exact_invariance(name, symmetry, size):
    """No output changes by more than 1e-5 of the largest; of c8, at right angles."""
    network = Compiled(random_network(name, symmetry, size))
    assert_equivariant(network, images_of(size), "d4" if symmetry == "d4" else "c4")


def test_saved_and_loaded(tmp_path):
    network = random_network("convnext_atto", "d4")
    network.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    images = images_of(32)
    np.testing.assert_array_equal(Compiled(again)(images), Compiled(network)(images))


def test_mixed_precision_gives_float32():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = random_network("resnet18", "rot4", width=1 / 64, activation="softmax")
    finally:
        keras.config.set_dtype_policy(before)
    outputs = Compiled(model)(images_of(32))
    assert outputs.dtype == "float32"
    np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=1e-6)


def test_without_symmetry_the_same_check_fails():
    network = Compiled(random_network("resnet18", "none", 64))
    assert equivariance_error(network, images_of(64), Group(4), outputs="invariant") > 1e-3
