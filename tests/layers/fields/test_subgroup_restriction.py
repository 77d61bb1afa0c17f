import keras
import numpy as np
import pytest

from lensnet.layers import GroupConv2D, GroupPool, SubgroupRestriction
from lensnet.symmetry import Group
from lensnet.testing import equivariance_error, randomize


def transformed(fields, group, element):
    """(..., fields, order), as an element transforms each field."""
    return fields[..., group.regular_permutation(element)]


@pytest.mark.parametrize(
    ("name", "subname"),
    [
        ("d8", "c4"),
        ("d4", "c4"),
        ("c8", "c4"),
        ("c8", "c2"),
        ("d8", "d4"),
        ("d8", "d1"),
        ("d4", "d4"),
        ("c4", "c1"),
    ],
)
def test_the_result_is_a_stack_of_regular_fields_of_the_subgroup(name, subname):
    """An element of H transforms the fields of G before as it does those of H after."""
    group, subgroup = Group.parse(name), Group.parse(subname)
    inputs = np.random.default_rng(0).standard_normal((2, 3, 3, 2 * group.order))
    inputs = inputs.astype("float32")
    layer = SubgroupRestriction(name, subname)
    reference = keras.ops.convert_to_numpy(layer(inputs))
    # Nothing is lost, and no field mixes with another.
    for half in (slice(0, group.order), slice(group.order, None)):
        np.testing.assert_array_equal(
            np.sort(reference[..., half], axis=-1), np.sort(inputs[..., half], axis=-1)
        )
    for h in range(subgroup.order):
        fields = inputs.reshape(2, 3, 3, 2, group.order)
        moved = transformed(fields, group, group.embed(subgroup)[h]).reshape(inputs.shape)
        answer = keras.ops.convert_to_numpy(layer(moved))
        expected = reference.reshape(2, 3, 3, -1, subgroup.order)
        expected = transformed(expected, subgroup, h).reshape(inputs.shape)
        np.testing.assert_array_equal(answer, expected)


def test_definition():
    """Channel h of the new field (field, c) is channel h c of the field."""
    group, subgroup = Group.parse("d4"), Group.parse("d2")
    inputs = np.arange(16, dtype="float32").reshape(1, 16)
    outputs = keras.ops.convert_to_numpy(SubgroupRestriction("d4", "d2")(inputs))
    outputs = outputs.reshape(2, 2, 4)
    for field, coset, h in np.ndindex(2, 2, 4):
        # The identity and the turn by 90 degrees, elements 0 and 1, represent the two cosets.
        element = group.product(group.embed(subgroup)[h], coset)
        assert outputs[field, coset, h] == inputs[0, 8 * field + element]


@pytest.mark.parametrize("reordered", [True, False])
def test_a_network_that_goes_on_with_fewer_symmetries(reordered):
    """D4, then C2: invariant under C2 all through, and not when the channels stay as they are."""
    image = keras.Input((9, 9, 1))
    x = GroupConv2D(4, 3, "d4", lifting=True)(image)
    if reordered:
        x = SubgroupRestriction("d4", "c2")(x)
    x = GroupConv2D(8, 3, "c2")(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    model = keras.Model(image, GroupPool("c2")(x))
    randomize(model)
    images = np.random.default_rng(0).standard_normal((2, 9, 9, 1)).astype("float32")
    error = equivariance_error(model, images, Group(2), outputs="invariant")
    assert error <= 1e-6 if reordered else error > 1e-2


def test_what_is_no_subgroup():
    with pytest.raises(ValueError, match="d4 is not a subgroup of c8"):
        SubgroupRestriction("c8", "d4")
    with pytest.raises(ValueError, match="12 channels are not whole fields of c8"):
        SubgroupRestriction("c8", "c4").build((None, 12))
