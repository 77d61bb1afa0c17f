"""What every name of the zoo keeps, looped over the zoo's own table; on JAX: `test_on_jax`.

The quick part takes one name of each family, and what else a ResNet's blocks can be, with as few
blocks as show what they do (`short_networks`). Every name as it is, is marked slow.
"""

import contextlib

import keras
import numpy as np
import pytest
from backends import on_tensorflow
from short_networks import KINDS_OF_BLOCKS, ONE_OF_EACH_FAMILY, build_short

import lensnet
from lensnet import registry
from lensnet.models.stages import layers_by_stage, stage_outputs
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize

pytestmark = on_tensorflow
NAMES = [name for name in registry.backbones.names() if name != "tiny"]

TRAINED = [
    name
    for name in KINDS_OF_BLOCKS
    if name
    not in (
        *("inception_v3", "inception_v4", "resnet18", "seresnet50", "ecaresnet50d"),
        "efficientnet_b0",
    )
]
"""One of the Inceptions, one of those of inverted residual blocks, and of the ResNets those of
bottlenecks in groups: the others are made of the same units."""

EXACT = []
for number, name in enumerate(KINDS_OF_BLOCKS):
    right_angles = (name, "d4" if number % 2 else "c4", 65 - number % 2)
    others = (name, *(("rot4", 64 + number % 2) if number % 3 else ("c8", 64)))
    quick, broad = (right_angles, others) if number % 4 < 2 else (others, right_angles)
    EXACT += [quick, pytest.param(*broad, marks=pytest.mark.slow)]
"""Fields of right angles, and scalar features or filters of circular harmonics: in the quick part
the kinds of blocks take turns."""


def whole(name, symmetry, size=64, **options):
    """A network of an eighth of the width with all its blocks."""
    height, image_width = (size, size) if isinstance(size, int) else size
    return lensnet.models.create(
        name,
        input_shape=(height, image_width, 1),
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


def exact(build):
    """The precision in which outputs are compared to 1e-5.

    Single for short networks. With random weights the deepest turn its rounding into other answers
    (EfficientNet-B8, c4: 0.8, and 1e-7 in double), so whole ones are shown in double precision that
    it is nothing but rounding.
    """
    return dtype_policy("float32" if build is build_short else "float64")


def test_every_family_is_looped_over():
    families = {registry.backbones.get(name).family for name in NAMES}
    assert {registry.backbones.get(name).family for name in ONE_OF_EACH_FAMILY} == families


@pytest.mark.parametrize(("name", "symmetry", "size"), EXACT)
def test_exact_invariance(name, symmetry, size):
    """No output changes by more than 1e-5 of the largest; of c8, at right angles."""
    model = build_short(name, symmetry, size)
    # Without this gain a signal dies away in a deep network, and what is left is its offsets.
    randomize(model, gain=2**0.5)
    assert_equivariant(model, images_of(size), "d4" if symmetry == "d4" else "c4")


@pytest.mark.slow
@pytest.mark.parametrize(("symmetry", "size"), [("c4", 65), ("d4", 64), ("rot4", 65)])
@pytest.mark.parametrize("name", NAMES)
def test_exact_invariance_of_the_whole_network(name, symmetry, size):
    with exact(whole):
        model = whole(name, symmetry, size)
    randomize(model, gain=2**0.5)
    assert_equivariant(model, images_of(size), "d4" if symmetry == "d4" else "c4")


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto"])
def test_without_symmetry_the_same_check_fails(name):
    model = build_short(name, "none", 64)
    randomize(model, gain=2**0.5)
    assert equivariance_error(model, images_of(64), Group(4), outputs="invariant") > 1e-3


def short_ones_and_slowly_all(names):
    """Parameters (name, how it is built): a few as short networks, and all as they are."""
    short = [pytest.param((name, build_short), id=name) for name in names]
    slow = pytest.mark.slow
    return short + [pytest.param((name, whole), id=f"{name}-whole", marks=slow) for name in NAMES]


@pytest.fixture(scope="module", params=short_ones_and_slowly_all(TRAINED))
def symmetric(request):
    """Each network with c4, for several tests, which may change its weights."""
    name, build = request.param
    with exact(build):
        return build(name, "c4", 64)


def test_trained_a_step_saved_loaded_and_folded(symmetric, tmp_path):
    model = symmetric
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


def test_stages(symmetric):
    """Maps of whole fields become smaller (of a transformer they are as large); every layer belongs
    to one stage or to the head, none is without layers; and the head sees the last stage's map
    alone, and the class token."""
    model = symmetric
    has_class_token = any(layer.name == "cls_token" for layer in model.layers)
    is_transformer = any(layer.name.endswith(".attn.softmax") for layer in model.layers)
    maps = stage_outputs(model)
    sizes = [tensor.shape[1] for tensor in maps.values()]
    assert len(maps) >= 3 and sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1] or is_transformer
    assert all(tensor.shape[-1] % 4 == 0 for tensor in maps.values())

    stages = layers_by_stage(model)
    assert list(stages) == [*maps, "head"] and all(stages.values())
    members = [layer.name for layers in stages.values() for layer in layers]
    assert sorted(members) == sorted(layer.name for layer in model.layers if layer.weights)
    assert "head.logits" in {layer.name for layer in stages["head"]}

    if has_class_token:
        return
    # Keras refuses a model whose output needs more than its input.
    *_, last = maps.values()
    head = keras.Model(last, model.output)
    assert {layer.name for layer in head.layers if layer.weights} == {
        layer.name for layer in stages["head"]
    }


@pytest.mark.parametrize("network", short_ones_and_slowly_all(ONE_OF_EACH_FAMILY))
def test_mixed_precision_on_any_image_size_and_number_of_bands(network):
    """Rectangular without a symmetry, square with one."""
    name, build = network
    symmetry, size = ("d4", 64) if NAMES.index(name) % 2 else ("none", (49, 80))
    options = {"channels": 5} if build is build_short else {}
    with dtype_policy("mixed_bfloat16"):
        model = build(name, symmetry, size, activation="softmax", **options)
    probabilities = answer(model, np.zeros((1, *model.input_shape[1:]), "float32"))
    assert probabilities.dtype == "float32"
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
