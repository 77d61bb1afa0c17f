"""GroupAveraged against the mean of a model's answers to images turned by NumPy."""

import keras
import numpy as np
import pytest

from lensnet.layers import GroupAveraged
from lensnet.models.weights import load_weights
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize

GROUPS = ["c1", "c2", "c4", "d1", "d2", "d4"]


def network(size=8, outputs=3, activation="softmax"):
    """Without any symmetry: a dense layer over all pixels."""
    image = keras.Input((size, size, 2))
    x = keras.layers.Conv2D(4, 3, strides=2, use_bias=False, name="conv")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Flatten(name="flat")(keras.layers.ReLU()(x))
    x = keras.layers.Dense(outputs, activation=activation, name="dense")(x)
    model = keras.Model(image, x)
    randomize(model)
    return model


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).standard_normal((3, 8, 8, 2)).astype("float32")


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("name", GROUPS)
def test_definition(model, images, name, stacked):
    group = Group.parse(name)
    turned = [group.transform(images, element) for element in range(group.order)]
    expected = np.mean([numpy(model(np.ascontiguousarray(x))) for x in turned], axis=0)
    averaged = GroupAveraged(model, name, stacked=stacked)
    np.testing.assert_allclose(numpy(averaged(images)), expected, atol=1e-6)
    np.testing.assert_allclose(expected.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("name", GROUPS)
def test_the_answer_does_not_know_the_turn(model, images, name, stacked):
    averaged = GroupAveraged(model, name, stacked=stacked)
    assert_equivariant(averaged, images, name, tolerance=1e-6)
    if name != "d4":
        assert equivariance_error(averaged, images, Group(4, True), outputs="invariant") > 1e-2


def test_the_model_alone_fails_the_same_check(model, images):
    assert equivariance_error(model, images, Group(2), outputs="invariant") > 1e-2


@pytest.mark.parametrize("stacked", [False, True])
def test_a_saved_one_is_the_same(model, images, tmp_path, stacked):
    averaged = GroupAveraged(model, "d4", stacked=stacked, name="averaged")
    averaged.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again, GroupAveraged)
    np.testing.assert_array_equal(numpy(again(images)), numpy(averaged(images)))
    assert (again.group, again.stacked, again.name) == ("d4", stacked, "averaged")
    assert again.input_shape == (None, 8, 8, 2) and again.output_shape == (None, 3)
    np.testing.assert_allclose(
        again.predict(images, batch_size=2, verbose=0), numpy(averaged(images)), atol=1e-6
    )


def test_within_another_model(model, images, tmp_path):
    image = keras.Input((8, 8, 2))
    outer = keras.Model(image, keras.layers.Activation("tanh")(GroupAveraged(model, "c4")(image)))
    expected = np.tanh(numpy(GroupAveraged(model, "c4")(images)))
    np.testing.assert_allclose(numpy(outer(images)), expected, atol=1e-6)
    outer.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numpy(again(images)), numpy(outer(images)))


def test_its_weights_start_another_network(model, tmp_path):
    """`model.weights` of an experiment finds them by the layers' names."""
    GroupAveraged(model, "c4").save(tmp_path / "model.keras")
    other = network(outputs=3)
    randomize(other, seed=1)
    assert load_weights(other, tmp_path / "model.keras") == []
    for one, same in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
    assert GroupAveraged(model, "c4").get_layer("conv") is model.get_layer("conv")


@pytest.mark.parametrize("stacked", [False, True])
def test_lists_and_dictionaries_of_outputs(images, stacked):
    image = keras.Input((8, 8, 2))
    flat = keras.layers.Flatten()(image)
    outputs = {"a": keras.layers.Dense(2)(flat), "b": [keras.layers.Dense(1)(flat)]}
    both = keras.Model(image, outputs)
    averaged = GroupAveraged(both, "c4", stacked=stacked)(images)
    assert set(averaged) == {"a", "b"} and tuple(averaged["b"][0].shape) == (3, 1)
    turned = [numpy(both(np.rot90(images, k, axes=(1, 2)).copy())["a"]) for k in range(4)]
    np.testing.assert_allclose(numpy(averaged["a"]), np.mean(turned, axis=0), atol=1e-6)


@pytest.mark.parametrize("stacked", [False, True])
def test_any_layer_can_be_wrapped(images, stacked):
    """One that is not built yet, too; `training` reaches what is within."""
    flatten = keras.Sequential([keras.layers.Flatten(), keras.layers.Dropout(0.5, seed=0)])
    averaged = GroupAveraged(flatten, "c4", stacked=stacked)
    np.testing.assert_allclose(
        numpy(averaged(images)).reshape(images.shape),
        np.mean([np.rot90(images, k, axes=(1, 2)) for k in range(4)], axis=0),
        atol=1e-6,
    )
    assert (numpy(averaged(images, training=True)) != numpy(averaged(images))).any()
    pooled = GroupAveraged(keras.layers.GlobalAveragePooling2D(), "c4", stacked=stacked)
    np.testing.assert_allclose(numpy(pooled(images)), images.mean(axis=(1, 2)), atol=1e-6)


@pytest.mark.parametrize("stacked", [False, True])
def test_it_can_be_trained(images, stacked):
    averaged = GroupAveraged(network(), "c4", stacked=stacked)
    averaged.compile("sgd", "mse", jit_compile=False)
    before = averaged.get_weights()
    averaged.fit(images, np.eye(3), epochs=1, verbose=0)
    assert all((a != b).any() for a, b in zip(before, averaged.get_weights(), strict=True))
    assert_equivariant(averaged, images, "c4", tolerance=1e-6)


def test_half_precision(images):
    """Answers keep their type, and are averaged in single precision."""
    image = keras.Input((8, 8, 2))
    flat = keras.layers.Flatten(dtype="mixed_bfloat16")(image)
    half = keras.Model(image, keras.layers.Dense(2, dtype="mixed_bfloat16")(flat))
    averaged = GroupAveraged(half, "c4")(images)
    assert keras.backend.standardize_dtype(averaged.dtype) == "bfloat16"
    turned = [
        numpy(keras.ops.cast(half(np.rot90(images, k, axes=(1, 2)).copy()), "float32"))
        for k in range(4)
    ]
    expected = np.mean(turned, axis=0)
    actual = numpy(keras.ops.cast(averaged, "float32"))
    # Rounded once, to 8 bits.
    assert np.abs(actual - expected).max() <= 2**-8 * np.abs(expected).max()


def test_images_that_are_not_square():
    """Half turns and mirrorings keep a rectangle; quarter turns do not."""
    group = Group(2, mirrors=True)
    rectangle = np.random.default_rng(0).standard_normal((2, 6, 8, 1)).astype("float32")
    averaged = GroupAveraged(keras.layers.Flatten(), "d2")
    expected = np.mean([group.transform(rectangle, g) for g in range(4)], axis=0)
    np.testing.assert_allclose(
        numpy(averaged(rectangle)).reshape(rectangle.shape), expected, atol=1e-6
    )
    with pytest.raises(ValueError, match="c4 rotates images by 90 degrees, which must be square"):
        GroupAveraged(keras.layers.Flatten(), "c4")(rectangle)


def test_wrong_arguments(model):
    with pytest.raises(ValueError, match="c8 rotates by 45. Use c4 or d4"):
        GroupAveraged(model, "c8")
    with pytest.raises(ValueError, match=r"rotates images, \(batch, height, width, channels\)"):
        GroupAveraged(keras.layers.Dense(2), "c4").build((None, 3))
