"""Layers of the user's own fold as they say, and what cannot be folded is named."""

import keras
import numpy as np
import pytest
from folded import answers, assert_folds, build, chain, images, kinds, lift, relu

from lensnet.layers import (
    DropPath,
    FieldNormalization,
    GroupAveraged,
    GroupConv2D,
    fold,
)
from lensnet.testing import randomize


class Doubled(keras.layers.Layer):
    """A layer that we do not know, but that says how it folds."""

    fold_absorbed = True

    def call(self, inputs):
        return 2 * inputs

    def fold(self, graph, inputs):
        if graph.absorb(self, inputs, np.full(inputs.shape[-1], 2.0), np.zeros(inputs.shape[-1])):
            return inputs
        both = keras.layers.Add(dtype=self.dtype_policy, name=self.name)
        return graph.add_layer(both, [inputs, inputs])[1]


class Swapped(keras.layers.Layer):
    """One that what follows is absorbed through."""

    fold_transparent = True

    def call(self, inputs):
        return inputs[..., ::-1, :]

    def fold(self, graph, inputs):
        return graph.propagate_fusable(inputs, keras.ops.flip(inputs, axis=2))


class Weighted(keras.layers.Layer):
    """One of two tensors and an argument."""

    def call(self, one, other, factor=1.0):
        return one + factor * other

    def fold(self, graph, one, other, factor=1.0):
        return one + factor * other


class Wrapped(keras.Model):
    """A model that is not of Keras's kinds."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, inputs):
        return -self.inner(inputs)

    def fold(self, graph, inputs):
        return -graph.apply(self.inner, inputs)

    def get_config(self):
        inner = keras.saving.serialize_keras_object(self.inner)
        return {**super().get_config(), "inner": inner}


def test_a_layer_of_the_users_own_folds_as_it_says():
    convolution = GroupConv2D(3, 3, "c4", lifting=True, use_bias=False)
    absorbed = build(chain(convolution, Swapped(), Doubled(), FieldNormalization("c4")))
    assert kinds(assert_folds(absorbed)) == ["Conv2D", "Flip"]
    alone = build(chain(lift("c4"), relu(), Doubled(name="doubled")))
    assert assert_folds(alone).layers[-1].name == "doubled"
    assert_folds(build(lambda x: Weighted()(x, lift("c4", 1)(x)[..., :2], factor=3.0)))


def test_a_subclass_that_says_it_anew_folds():
    class Shifted(GroupConv2D):
        def call(self, inputs):
            return super().call(inputs) + 1

        def fold(self, graph, inputs):
            return super().fold(graph, inputs) + 1

    assert_folds(build(Shifted(3, 3, "c4", lifting=True)))


def test_a_model_of_the_users_own_folds_as_it_says():
    model = Wrapped(build(chain(lift("c4"), FieldNormalization("c4"))), name="wrapped")
    model.build((None, 9, 9, 2))
    randomize(model)
    folded = fold(model)
    assert folded.name == "wrapped"
    expected, actual = (answers(each, images())[0] for each in (model, folded))
    assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max()


# --- what is refused ------------------------------------------------------------------------------


class Mine(keras.layers.Layer):
    def call(self, inputs):
        return inputs

    def compute_output_shape(self, input_shape):
        return input_shape


class MyConvolution(GroupConv2D):
    """Its convolution may be folded, but not what it does after that."""

    def call(self, inputs):
        return super().call(inputs) + 1


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Mine(name="mine"), '"mine" \\(Mine\\) cannot be folded: it is not Keras'),
        (MyConvolution(3, 3, "c4", lifting=True), "\\(MyConvolution\\) .* overrides call"),
        (keras.layers.TimeDistributed(Mine(), name="wrapped"), '"wrapped" holds a Mine'),
        (GroupAveraged(Mine(), "c4"), "\\(Mine\\) cannot be folded"),
    ],
    ids=["layer", "subclass", "wrapped", "averaged"],
)
def test_an_unknown_layer_is_named(layer, message):
    with pytest.raises(ValueError, match=message):
        fold(build(layer))


def test_a_layer_called_in_training_is_named():
    with pytest.raises(ValueError, match='"dropped" is called with training=True'):
        fold(build(lambda x: DropPath(0.5, name="dropped")(x, training=True)))


@pytest.mark.parametrize("model", [keras.Sequential(), GroupAveraged(keras.Sequential(), "c4")])
def test_what_is_not_built_is_refused(model):
    with pytest.raises(ValueError, match="Only functional and sequential models"):
        fold(model)
