import itertools

import numpy as np
import pytest

from lensnet.errors import ConfigurationError
from lensnet.symmetry import Group, Symmetry

GROUPS = [Group(n, mirrors) for n in (1, 2, 4, 5, 8, 16) for mirrors in (False, True)]


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_tables_follow_the_matrices(group):
    """The product and inverse are those of the transformations of the plane."""
    for g, h in itertools.product(range(group.order), repeat=2):
        np.testing.assert_allclose(
            group.matrix(g) @ group.matrix(h), group.matrix(group.product(g, h)), atol=1e-12
        )
    for g in range(group.order):
        np.testing.assert_allclose(
            np.linalg.inv(group.matrix(g)), group.matrix(group.inverse(g)), atol=1e-12
        )


@pytest.mark.parametrize("size", [4, 5])
def test_grid_permutation_moves_pixels_as_the_matrix_says(size):
    group = Group(4, mirrors=True)
    centre = (size - 1) / 2
    image = np.random.default_rng(0).standard_normal((size, size))
    for element in range(group.order):
        moved = np.empty_like(image)
        for row, column in itertools.product(range(size), repeat=2):
            x, y = group.matrix(element) @ (column - centre, centre - row)
            moved[round(centre - y), round(centre + x)] = image[row, column]
        permuted = image.reshape(-1)[group.grid_permutation(element, size)].reshape(size, size)
        np.testing.assert_array_equal(permuted, moved)
        np.testing.assert_array_equal(group.transform(image[..., None], element)[..., 0], moved)


def test_transform_is_an_action():
    group = Group(4, mirrors=True)
    images = np.random.default_rng(0).standard_normal((2, 5, 5, 3))
    for g, h in itertools.product(range(group.order), repeat=2):
        np.testing.assert_array_equal(
            group.transform(group.transform(images, h), g),
            group.transform(images, group.product(g, h)),
        )


def test_regular_permutation_is_an_action():
    group = Group(8, mirrors=True)
    field = np.arange(group.order)
    for g, h in itertools.product(range(group.order), repeat=2):
        once = field[group.regular_permutation(h)][group.regular_permutation(g)]
        np.testing.assert_array_equal(once, field[group.regular_permutation(group.product(g, h))])


SUBGROUPS = [
    (group, subgroup) for group in GROUPS for subgroup in GROUPS if group.contains(subgroup)
]


def test_a_group_contains_those_whose_rotations_divide_its_own():
    # Of the six numbers of rotations above 17 pairs divide: C in C, C in D and D in D.
    assert len(SUBGROUPS) == 17 * 3


@pytest.mark.parametrize(("group", "subgroup"), SUBGROUPS, ids=str)
def test_a_subgroups_elements_are_the_same_transformations(group, subgroup):
    for element, in_group in enumerate(group.embed(subgroup)):
        np.testing.assert_allclose(subgroup.matrix(element), group.matrix(in_group), atol=1e-12)


@pytest.mark.parametrize(("group", "subgroup"), SUBGROUPS, ids=str)
def test_right_cosets_divide_the_group(group, subgroup):
    cosets = group.right_cosets(subgroup)
    assert sorted(cosets.reshape(-1)) == list(range(group.order))
    for coset in cosets:
        assert coset[0] == coset.min()
        for h, element in enumerate(coset):
            assert element == group.product(group.embed(subgroup)[h], coset[0])


@pytest.mark.parametrize(
    ("name", "other"), [("c8", "c3"), ("c8", "d4"), ("c4", "c8"), ("d4", "d8")]
)
def test_what_is_no_subgroup_is_refused(name, other):
    group, subgroup = Group.parse(name), Group.parse(other)
    assert not group.contains(subgroup)
    with pytest.raises(ValueError, match=f"{other} is not a subgroup of {name}"):
        group.embed(subgroup)
    with pytest.raises(ValueError, match="is not a subgroup"):
        group.right_cosets(subgroup)


def test_inexact_element_is_refused():
    with pytest.raises(ValueError, match="rotates by 45 degrees"):
        Group(8).grid_permutation(1, 5)


@pytest.mark.parametrize(
    "name", ["none", "c4", "d4", "c8", "d16", "rot4", "rot8", "rot16", "rot4_inputs"]
)
def test_symmetry_survives_its_own_name(name):
    assert str(Symmetry.parse(name)) == name
    assert Symmetry.parse(Symmetry.parse(name)) == Symmetry.parse(name)


@pytest.mark.parametrize("name", ["c", "c1", "e4", "rot", "rot1", "d04", "C4", "rot8_inputs"])
def test_unknown_symmetry_is_refused(name):
    with pytest.raises(ConfigurationError, match="no symmetry"):
        Symmetry.parse(name)


def test_order_counts_channels_of_a_field():
    orders = {name: Symmetry.parse(name).order for name in ("none", "c4", "d4", "rot4")}
    assert orders == {"none": 1, "c4": 4, "d4": 8, "rot4": 1}
