"""The basis of irreducible representations: the same answers, computed otherwise."""

import keras
import numpy as np
import pytest
from keras import ops

from lensnet.layers import (
    FieldBasis,
    FieldDense,
    FieldLayerNormalization,
    FieldScale,
    IrrepActivation,
    fold,
)
from lensnet.layers.fields.irreps import basis_matrix, irreps
from lensnet.symmetry import Group
from lensnet.testing import randomize

GROUPS = ["c4", "d4", "c5", "d8"]


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def rows(channels, positions=6):
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, 1, positions, channels)).astype("float32")


@pytest.mark.parametrize("name", GROUPS)
def test_representations_are_complete(name):
    """They multiply as the group does, and their coefficients are an orthonormal basis."""
    group = Group.parse(name)
    for irrep in irreps(group):
        products = np.einsum("gij,hjk->ghik", irrep.matrices, irrep.matrices)
        np.testing.assert_allclose(products, irrep.matrices[group.product_table()], atol=1e-12)
    matrix = basis_matrix(group)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(group.order), atol=1e-12)
    assert (matrix[0] > 0).all(), "the trivial representation comes first"


@pytest.mark.parametrize(
    ("name", "make"),
    [
        *((group, lambda g, **o: FieldDense(g, 6, **o)) for group in GROUPS),
        ("d4", lambda g, **o: FieldLayerNormalization(g, **o)),
        ("d4", lambda g, **o: FieldLayerNormalization(g, center=False, scale=False, **o)),
        ("d4", lambda g, **o: FieldScale(g, **o)),
    ],
)
def test_layers_answer_the_same_in_another_basis(name, make):
    inputs = rows(6 * Group.parse(name).order)
    layer, other = make(name), make(name, basis="irreps")
    layer.build(inputs.shape)
    other.build(inputs.shape)
    randomize(layer)
    other.set_weights(layer.get_weights())
    expected = numpy(layer(inputs))
    enter, leave = FieldBasis(name, "irreps"), FieldBasis(name, "regular")
    actual = numpy(leave(other(enter(inputs))))
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max())


def test_each_head_holds_the_components_of_its_fields():
    """Queries, keys and values of two heads, and the way back from the heads."""
    heads, inputs = 2, rows(32)
    dense = FieldDense("d4", 12)
    split = FieldDense("d4", 12, basis="irreps", heads_out=3 * heads)
    joined = FieldDense("d4", 4, basis="irreps", heads_in=3 * heads)
    back = FieldDense("d4", 4)
    enter, leave = FieldBasis("d4", "irreps"), FieldBasis("d4", "regular")
    for layer in (dense, back):
        layer(rows(32 if layer is dense else 96))
        randomize(layer)
    split(inputs)
    joined(rows(96))
    split.set_weights(dense.get_weights())
    joined.set_weights(back.get_weights())
    plain = numpy(dense(inputs))
    by_heads = numpy(split(enter(inputs)))
    # Of each part the inner products of all tokens with all are what they are in the other basis.
    for part, other in zip(np.split(plain, 6, -1), np.split(by_heads, 6, -1), strict=True):
        products = [np.einsum("bhic,bhjc->bij", x, x) for x in (part, other)]
        np.testing.assert_allclose(*products, atol=1e-3)
    actual = numpy(leave(joined(by_heads)))
    np.testing.assert_allclose(actual, numpy(back(plain)), atol=1e-4)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("training", [True, False])
def test_activations_act_on_the_elements(activation, training):
    inputs = np.random.default_rng(0).standard_normal((5, 8 * 96)).astype("float32")
    enter, leave = FieldBasis("d4", "irreps"), FieldBasis("d4", "regular")
    actual = leave(IrrepActivation("d4", activation)(enter(inputs), training=training))
    expected = keras.activations.get(activation)(ops.convert_to_tensor(inputs))
    np.testing.assert_allclose(numpy(actual), numpy(expected), atol=1e-5)


def test_folded_and_saved_models_answer_the_same(tmp_path):
    image = keras.Input((1, 6, 24))
    x = FieldBasis("d4", "irreps")(image)
    x = FieldLayerNormalization("d4", basis="irreps")(x)
    x = FieldDense("d4", 4, basis="irreps", name="dense")(ops.reshape(x, (-1, 24)))
    x = IrrepActivation("d4", "gelu", name="gelu")(x)
    x = FieldScale("d4", basis="irreps")(ops.reshape(x, (-1, 1, 6, 32)))
    model = keras.Model(image, FieldBasis("d4", "regular")(x))
    randomize(model)
    expected = numpy(model(rows(24)))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numpy(again(rows(24))), expected)
    folded = fold(model)
    assert {type(layer).__module__.split(".")[0] for layer in folded.layers} == {"keras"}
    assert "Dense" in {type(layer).__name__ for layer in folded.layers}
    np.testing.assert_allclose(numpy(folded(rows(24))), expected, atol=1e-5)


def test_an_unknown_basis():
    with pytest.raises(ValueError, match="to is 'irreps' or 'regular'; got 'fourier'"):
        FieldBasis("d4", "fourier")
    with pytest.raises(ValueError, match="basis is 'irreps' or 'regular'; got 'fourier'"):
        FieldDense("d4", 6, basis="fourier")
