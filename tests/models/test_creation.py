import keras
import numpy as np
import pytest

import lensnet
from lensnet.errors import ConfigurationError
from lensnet.models.kit.counting import count
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize

EXACT = [
    ("resnet18", "c4", 64),
    ("resnet18", "d4", 65),
    ("resnet18", "rot4", 101),
    ("resnet18", "rot4_inputs", 150),
    ("lens_cnn", "c4", 150),
    ("lens_cnn", "d4", 101),
    ("lens_cnn", "rot4", 65),
    ("lens_cnn", "rot4_inputs", 64),
]
"""Each symmetry, each size in which data sets of lenses come."""


def narrow(name, symmetry="none", size=64, channels=1, **options):
    model = lensnet.models.create(
        name,
        input_shape=(size, size, channels),
        num_outputs=3,
        symmetry=symmetry,
        width=0.125,
        **options,
    )
    randomize(model)
    return model


def answer(model, images):
    """Without a graph, which would take longer to make than to use."""
    return keras.tree.map_structure(keras.ops.convert_to_numpy, model(images, training=False))


def images_of(size, channels=1):
    rng = np.random.default_rng(0)
    return rng.standard_normal((1, size, size, channels)).astype("float32")


@pytest.mark.parametrize(("name", "symmetry", "size"), EXACT)
def test_exact_invariance(name, symmetry, size):
    """Every weight and statistic random: no output changes by more than 1e-5."""
    model = narrow(name, symmetry, size)
    group = "d4" if symmetry == "d4" else "c4"
    assert_equivariant(model, images_of(size), group, tolerance=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "lens_cnn"])
def test_without_symmetry_the_same_check_fails(name):
    model = narrow(name, "none", 65)
    assert equivariance_error(model, images_of(65), Group(4), outputs="invariant") > 1e-3


def test_c4_is_not_invariant_under_mirrors():
    """So that the check of d4 shows something that c4 does not have."""
    model = narrow("resnet18", "c4")
    d4 = Group(4, mirrors=True)
    assert equivariance_error(model, images_of(64), d4, outputs="invariant") > 1e-3


def test_lens_cnn_has_the_studys_size():
    model = lensnet.models.create("lens_cnn", input_shape=(101, 101, 1), num_outputs=1)
    assert 26.5e6 < model.count_params() < 27.5e6
    kernels = [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]
    assert all(layer.kernel_regularizer is not None for layer in kernels)
    rates = [layer.rate for layer in model.layers if type(layer).__name__ == "Dropout"]
    assert rates == [0.5, 0.5]


@pytest.mark.parametrize(
    ("name", "parameters"),
    # Published by torchvision for ImageNet's 1000 classes at three channels.
    [("resnet18", 11_689_512), ("resnet34", 21_797_672), ("resnet50", 25_557_032)],
)
def test_plain_resnets_have_the_published_parameters(name, parameters):
    assert count(name, input_shape=(64, 64, 3), num_outputs=1000).parameters == parameters


@pytest.mark.parametrize("symmetry", ["c4", "d4"])
def test_symmetry_divides_the_parameters(symmetry):
    shape = {"input_shape": (64, 64, 1), "num_outputs": 2}
    symmetric = count("resnet18", symmetry=symmetry, width=1, **shape)
    ratio = count("resnet18", **shape).parameters / symmetric.parameters
    order = Group.parse(symmetry).order
    assert 0.95 * order < ratio < 1.05 * order


@pytest.mark.parametrize(
    ("name", "symmetry"), [("resnet18", "rot4"), ("lens_cnn", "none"), ("lens_cnn", "d4")]
)
def test_saved_and_loaded(name, symmetry, tmp_path):
    model = narrow(name, symmetry, head={"units": [8], "normalization": "batch", "dropout": 0.3})
    images = images_of(64)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(answer(again, images), answer(model, images))


@pytest.mark.parametrize(
    ("symmetry", "precision"), [("none", "mixed_float16"), ("rot4", "mixed_bfloat16")]
)
def test_mixed_precision_gives_float32(symmetry, precision):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        model = narrow("resnet18", symmetry, activation="softmax")
    finally:
        keras.config.set_dtype_policy(before)
    outputs = answer(model, images_of(64))
    assert outputs.dtype == "float32"
    np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=1e-6)


def test_the_seven_layer_regression_head():
    model = lensnet.models.create(
        "resnet18",
        input_shape=(64, 64, 1),
        num_outputs=1,
        width=0.25,
        head={"units": [512, 128], "normalization": "batch", "dropout": 0.3},
    )
    head = [layer for layer in model.layers if layer.name.startswith("head.")]
    kinds = [type(layer).__name__ for layer in head if type(layer).__name__ != "Activation"]
    block = ["Dense", "BatchNormalization", "Dropout"]
    assert kinds == [*block, *block, "Dense"]


def test_logits_unless_an_activation_is_given():
    logits = answer(narrow("resnet18"), images_of(64))
    probabilities = answer(narrow("resnet18", activation="softmax"), images_of(64))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "resnet81"}, 'Did you mean "resnet18"'),
        ({"symmetry": "c5x"}, 'no symmetry "c5x"'),
        ({"dropout": 0.1}, 'takes no option "dropout"'),
        ({"input_shape": (16, 16, 1)}, "needs images of 32 x 32 pixels or more; got 16 x 16"),
        ({"input_shape": (64, 96, 1), "symmetry": "c4"}, "needs square images; got 64 x 96"),
        ({"weights": "none.keras"}, "is a .keras or .safetensors file"),
        ({"input_shape": (64, 64)}, r"is \(height, width, channels\), of which"),
        ({"input_shape": (None, 16, 1)}, "32 x 32 pixels or more; got None x 16"),
        ({"input_shape": (None, None, 1), "symmetry": "c4"}, "for images of one size"),
        ({"name": "lens_cnn", "input_shape": (None, None, 1)}, '"dense1" sees the whole map'),
        ({"name": "vgg16", "input_shape": (None, None, 1)}, "sees the whole map"),
        ({"num_outputs": -1}, r"is 0 \(pooled features\) or more; got -1"),
        ({"num_outputs": 0, "activation": "softmax"}, "without head and activation"),
        ({"num_outputs": 0, "head": {"units": [8]}}, "without head and activation"),
    ],
)
def test_wrong_arguments(arguments, message):
    defaults = {"name": "resnet18", "input_shape": (64, 64, 1), "num_outputs": 2}
    with pytest.raises(ConfigurationError, match=message):
        lensnet.models.create(**{**defaults, **arguments})


def test_a_plain_network_for_images_of_any_size():
    options = {"num_outputs": 2, "width": 0.125}
    any_size = lensnet.models.create("resnet18", input_shape=(None, None, 4), **options)
    fixed = lensnet.models.create("resnet18", input_shape=(75, 91, 4), **options)
    fixed.set_weights(any_size.get_weights())
    image = np.random.default_rng(0).standard_normal((1, 75, 91, 4), "float32")
    np.testing.assert_allclose(answer(any_size, image), answer(fixed, image), atol=1e-6)


def test_no_outputs_are_the_pooled_features(tmp_path):
    """As timm's num_classes=0; another network's weights fit but for its head."""
    model = narrow("resnet18", "c4")
    model.save(tmp_path / "model.keras")
    features = lensnet.models.create(
        "resnet18",
        input_shape=(64, 64, 1),
        num_outputs=0,
        symmetry="c4",
        width=0.125,
        weights=str(tmp_path / "model.keras"),
    )
    assert features.output_shape == (None, 16)
    image = images_of(64)
    kernel, bias = model.get_layer("head.logits").get_weights()
    expected = answer(features, image) @ kernel + bias
    np.testing.assert_allclose(answer(model, image), expected, rtol=1e-4, atol=1e-5)


def test_features_of_the_stages():
    image = images_of(65)
    maps = answer(narrow("resnet18", "c4", 65, features_only=True), image)
    assert {stage: x.shape[1:] for stage, x in maps.items()} == {
        f"layer{n}": (side, side, 4 * 2**n) for n, side in ((1, 17), (2, 9), (3, 5), (4, 3))
    }
    some = narrow("resnet18", "c4", 65, features_only=["layer4", "layer2"])
    assert list(some.output) == ["layer4", "layer2"]
    with pytest.raises(ConfigurationError, match=r'no stage "layer5"\. Did you mean "layer\d"'):
        narrow("resnet18", features_only=["layer5"])


class TestWeights:
    def saved(self, tmp_path, **options):
        model = narrow("resnet18", "c4", **options)
        model.save(tmp_path / "model.keras")
        return model, tmp_path / "model.keras"

    def test_start_from_a_file(self, tmp_path):
        model, path = self.saved(tmp_path)
        again = lensnet.models.create(
            "resnet18",
            input_shape=(64, 64, 1),
            num_outputs=3,
            symmetry="c4",
            width=0.125,
            weights=str(path),
        )
        images = images_of(64)
        np.testing.assert_array_equal(answer(again, images), answer(model, images))

    def test_another_head_is_left_as_it_is(self, tmp_path):
        model, path = self.saved(tmp_path)
        other = lensnet.models.create(
            "resnet18", input_shape=(64, 64, 1), num_outputs=7, symmetry="c4", width=0.125
        )
        assert lensnet.models.load_weights(other, path) == ["head.logits"]
        np.testing.assert_array_equal(
            other.get_layer("conv1").get_weights()[0], model.get_layer("conv1").get_weights()[0]
        )

    def test_the_first_parameter_that_differs_is_named(self, tmp_path):
        _, path = self.saved(tmp_path)
        other = narrow("resnet18", "c4", channels=3)
        with pytest.raises(ConfigurationError, match=r'"conv1\.kernel" has shape'):
            lensnet.models.load_weights(other, path)

    def test_a_file_that_is_no_model(self, tmp_path):
        path = tmp_path / "model.keras"
        path.write_bytes(b"nothing of the kind")
        with pytest.raises(ConfigurationError, match="cannot be read as a Keras model"):
            lensnet.models.load_weights(narrow("resnet18"), path)
