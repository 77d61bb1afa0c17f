"""Grad-CAM, occlusion and attention against work by hand, and under rotation."""

import keras
import numpy as np
import pytest

from lensnet.explanation import grad_cam, occlusion
from lensnet.explanation.activation_map import has_attention, last_attention
from lensnet.layers import GroupAveraged
from lensnet.models import create
from lensnet.testing import randomize

SIZE = 33


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).random((2, SIZE, SIZE, 1)).astype("float32")


def network(symmetry="none", outputs=3, activation="softmax"):
    model = create(
        "tiny",
        input_shape=(SIZE, SIZE, 1),
        num_outputs=outputs,
        symmetry=symmetry,
        width=0.125,
        activation=activation,
    )
    randomize(model, 3)
    return model


def turned(maps, mirrored=False):
    maps = maps[:, :, ::-1] if mirrored else maps
    return np.rot90(maps, axes=(1, 2)).copy()


def far(one, other):
    return np.abs(one - other).max() / np.abs(other).max()


@pytest.mark.parametrize("method", ["grad_cam", "occlusion"])
def test_maps_turn_with_the_image(images, method):
    """Of a symmetric network, and of an averaged one; not of a plain one."""
    chosen = np.array([1, 2])

    def error(model, mirrored=False):
        moved = turned(images, mirrored)
        if method == "grad_cam":
            maps = grad_cam(model, images, chosen)
            assert maps.max() > 0
            return far(grad_cam(model, moved, chosen), turned(maps, mirrored))
        falls = occlusion(model, images, chosen, cells=5)
        assert falls.shape == (2, 5, 5)
        # Differences of answers are as exact as these are.
        inner = getattr(model, "model", model)
        logits = keras.Model(inner.input, inner.get_layer("head.logits").output)
        scale = np.abs(logits(images)).max()
        change = occlusion(model, moved, chosen, cells=5) - turned(falls, mirrored)
        return np.abs(change).max() / max(scale, np.abs(falls).max())

    symmetric = network("d4")
    assert error(symmetric) < 1e-5
    assert error(symmetric, mirrored=True) < 1e-5
    plain = network("none")
    assert error(plain) > 1e-3
    assert error(GroupAveraged(plain, "c4")) < 1e-5


def test_the_map_of_a_round_image_is_round(images):
    """There the maximum over the group is one of equals, of which rounding picks any."""
    symmetric = network("c4")
    few_bits = np.round(64 * images) / 64  # whose sum is the same in any order
    round_images = sum(np.rot90(few_bits, k, axes=(1, 2)) for k in range(4)) / 4
    maps = grad_cam(symmetric, round_images, np.array([1, 2]))
    assert maps.max() > 0
    assert far(turned(maps), maps) < 1e-5


def by_hand():
    """A network whose logits are weighted sums of the means of two maps."""
    image = keras.Input((8, 8, 2))
    maps = keras.layers.Activation("linear", name="stage.one")(image)
    pooled = keras.layers.GlobalAveragePooling2D(name="global_pool")(maps)
    logits = keras.layers.Dense(2, use_bias=False, name="head.logits")(pooled)
    model = keras.Model(image, keras.layers.Activation("softmax", name="head.output")(logits))
    model.set_weights([np.array([[1.0, -3.0], [2.0, 4.0]], "float32")])
    return model


def test_grad_cam_is_the_weighted_sum_of_the_maps():
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype("float32")
    chosen = np.array([0, 1])
    expected = np.stack([np.maximum(x[0] @ [1.0, 2.0], 0), np.maximum(x[1] @ [-3.0, 4.0], 0)]) / (
        8 * 8
    )
    np.testing.assert_allclose(grad_cam(by_hand(), x, chosen), expected, atol=1e-6)


def test_a_map_lies_where_its_pixels_come_from():
    """Convolutions that leave out the border make a map of the middle, not of the whole image."""
    image = keras.Input((31, 31, 1))
    x = keras.layers.Conv2D(1, 9, padding="valid", use_bias=False)(image)
    x = keras.layers.Conv2D(1, 3, strides=2, padding="valid", use_bias=False)(x)
    x = keras.layers.Activation("linear", name="stage.one")(x)
    pooled = keras.layers.GlobalAveragePooling2D(name="global_pool")(x)
    model = keras.Model(image, keras.layers.Dense(1, use_bias=False, name="head.logits")(pooled))
    one, other = np.zeros((9, 9, 1, 1)), np.zeros((3, 3, 1, 1))
    one[4, 4] = other[1, 1] = 1.0
    model.set_weights([one, other, np.ones((1, 1))])
    # Each pixel of the map is then one of the image: 5, 7, ... 25.
    x = np.zeros((1, 31, 31, 1), "float32")
    x[0, 9, 21] = 1.0
    found = grad_cam(model, x)[0]
    assert np.unravel_index(found.argmax(), found.shape) == (9, 21)
    np.testing.assert_allclose(found[9, 19:24] / found.max(), [0, 0.5, 1, 0.5, 0], atol=1e-6)
    everywhere = grad_cam(model, np.ones((1, 31, 31, 1), "float32"))[0] > 0
    rows, columns = np.nonzero(everywhere)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 26, 4, 26)


def test_occlusion_is_what_the_covered_part_adds():
    x = np.zeros((1, 8, 8, 2), "float32")
    x[0, 1, 6] = 5.0, 7.0
    # Cells of 2 x 2 pixels; what is covered reaches one pixel further.
    found = occlusion(by_hand(), x, np.array([1]), cells=4)[0]
    share = (-3.0 * 5 + 4.0 * 7) / 64
    expected = np.zeros((4, 4))
    expected[0:2, 2:4] = share
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_single_output_is_explained_for_either_class(images):
    model = network(outputs=1, activation="sigmoid")
    one, zero = (occlusion(model, images, np.full(2, label), cells=3) for label in (1, 0))
    np.testing.assert_allclose(one, -zero, atol=1e-5)
    # Before the last activation: a network that is sure is explained as well.
    logits = model.get_layer("head.logits")
    logits.bias.assign([60.0])
    sure = occlusion(model, images, np.ones(2, int), cells=3)
    np.testing.assert_allclose(sure, one, atol=1e-4)
    assert grad_cam(model, images, np.ones(2, int)).max() > 0


def test_a_regression_is_explained_in_its_own_unit(images):
    model = network(outputs=1, activation=None)
    scaled = keras.Model(
        model.input, keras.layers.Rescaling(10.0, offset=3.0, name="target")(model.output)
    )
    for method in (grad_cam, occlusion):
        np.testing.assert_allclose(
            method(scaled, images), 10 * method(model, images), rtol=1e-3, atol=1e-4
        )


def test_attention_turns_with_the_image(images):
    model = create(
        "vit_lens", input_shape=(48, 48, 1), num_outputs=2, symmetry="c4", depth=1, width=0.25
    )
    randomize(model, 0)
    x = np.random.default_rng(0).random((1, 48, 48, 1)).astype("float32")
    assert has_attention(model) and not has_attention(by_hand())
    maps = last_attention(model, x)
    assert far(last_attention(model, turned(x)), turned(maps)) < 1e-5
