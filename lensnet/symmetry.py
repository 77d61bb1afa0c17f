"""The groups that an image can be rotated and reflected by, as small frozen values.

A :class:`Group` is C_n (the rotations by multiples of 360/n degrees) or D_n (those and the
reflections). Its elements are numbered: element `m * n + k` is a reflection (if m is 1) followed by
a counter-clockwise rotation by `k * 360 / n` degrees. The reflection reverses the columns, as
`numpy.fliplr` does. Tables of the product and the inverse, and the permutations by which a group
acts on its own elements and on a grid of pixels, are computed when asked for and kept.

Sources: Cohen & Welling 2016, "Group Equivariant Convolutional Networks" (arXiv:1602.07576),
sections 4 and 6; Weiler & Cesa 2019, "General E(2)-Equivariant Steerable CNNs" (arXiv:1911.08251).
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lensnet.errors import ConfigurationError

__all__ = ["Group", "Symmetry"]


@dataclass(frozen=True)
class Group:
    """C_n or D_n.

    Args:
        rotations: n, the number of rotations, at least 1.
        mirrors: whether the reflections belong to the group (D_n) or not (C_n).

    Example:

    >>> Group(4).order, Group(4, mirrors=True).order, str(Group(8, mirrors=True))
    (4, 8, 'd8')
    """

    rotations: int
    mirrors: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.rotations, int) or self.rotations < 1:
            raise ValueError(f"A group has 1 or more rotations; got {self.rotations!r}.")

    @classmethod
    def parse(cls, name: str | Group) -> Group:
        """Reads `"c<n>"` or `"d<n>"`.

        Raises:
            ConfigurationError: the name is neither.
        """
        if isinstance(name, Group):
            return name
        match = re.fullmatch(r"([cd])([1-9]\d*)", str(name))
        if match is None:
            raise ConfigurationError(f'There is no group "{name}". Known: c4, d4, c8 and so on.')
        return cls(int(match[2]), mirrors=match[1] == "d")

    def __str__(self) -> str:
        return f"{'d' if self.mirrors else 'c'}{self.rotations}"

    @property
    def order(self) -> int:
        """The number of elements, |G|."""
        return self.rotations * (2 if self.mirrors else 1)

    @property
    def exact_on_grid(self) -> bool:
        """Whether every element maps the square pixel grid onto itself."""
        return self.rotations in (1, 2, 4)

    def angle(self, element: int) -> float:
        """The element's rotation, in degrees counter-clockwise, applied after its reflection."""
        return 360.0 * (element % self.rotations) / self.rotations

    def is_reflection(self, element: int) -> bool:
        """Whether the element reflects the plane."""
        return element >= self.rotations

    def matrix(self, element: int) -> np.ndarray:
        """The element as a 2x2 matrix acting on (x, y), x to the right and y upwards."""
        angle = math.radians(self.angle(element))
        rotation = np.array(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        return rotation @ np.diag([-1.0, 1.0]) if self.is_reflection(element) else rotation

    def product(self, left: int, right: int) -> int:
        """The element that acts as `right` followed by `left`."""
        return int(self.product_table()[left, right])

    def inverse(self, element: int) -> int:
        """The element that undoes `element`."""
        return int(self.inverse_table()[element])

    def product_table(self) -> np.ndarray:
        """`table[g, h] = g h`, shape (order, order)."""
        return _product_table(self)

    def inverse_table(self) -> np.ndarray:
        """`table[g]` is the inverse of g, shape (order,)."""
        return _inverse_table(self)

    def regular_permutation(self, element: int) -> np.ndarray:
        """Where each channel of a regular field comes from when the input is transformed.

        A regular field f transforms as `(g f)(h) = f(g^-1 h)`: channel h of the result is channel
        `permutation[h] = g^-1 h` of the field.
        """
        return self.product_table()[self.inverse(element)]

    def contains(self, subgroup: Group) -> bool:
        """Whether every element of `subgroup` is one of this group's.

        C_m lies in C_n and D_n, and D_m in D_n, where m divides n. Reflections are those of the
        same axis: the one that reverses the columns, and what rotations make of it.
        """
        return self.rotations % subgroup.rotations == 0 and self.mirrors >= subgroup.mirrors

    def embed(self, subgroup: Group) -> np.ndarray:
        """The numbers that a subgroup's elements have in this group.

        Returns:
            shape (subgroup.order,): element h of the subgroup is element `table[h]` here.

        Raises:
            ValueError: this group does not contain it.

        Example:

        >>> Group(8, mirrors=True).embed(Group(4)).tolist()
        [0, 2, 4, 6]
        """
        return _embedding(self, subgroup)

    def right_cosets(self, subgroup: Group) -> np.ndarray:
        """This group's elements, sorted into the cosets H c of a subgroup H.

        Each coset is represented by its element of the lowest number, and the cosets stand in the
        order of these.

        Returns:
            shape (order / |H|, |H|): `table[i, h]` is the element `h c_i`.

        Raises:
            ValueError: this group does not contain the subgroup.

        Example:

        >>> Group(4).right_cosets(Group(2)).tolist()
        [[0, 2], [1, 3]]
        """
        return _right_cosets(self, subgroup)

    def grid_permutation(self, element: int, size: int) -> np.ndarray:
        """Where each pixel of a square grid comes from when the element transforms it.

        Args:
            element: an element that maps the grid onto itself.
            size: pixels along a side.

        Returns:
            shape (size * size,): pixel i of the transformed, flattened grid is pixel
            `permutation[i]` of the original.

        Raises:
            ValueError: the element does not map the grid onto itself.
        """
        return _grid_permutation(self, element, size)

    def transform(self, images: np.ndarray, element: int) -> np.ndarray:
        """Applies an exact element to images, shape (..., height, width, channels).

        Raises:
            ValueError: the element's rotation is not a multiple of 90 degrees.
        """
        quarter_turns = self._quarter_turns(element)
        if self.is_reflection(element):
            images = images[..., :, ::-1, :]
        return np.rot90(images, quarter_turns, axes=(-3, -2))

    def _quarter_turns(self, element: int) -> int:
        quarters, rest = divmod(4 * (element % self.rotations), self.rotations)
        if rest:
            raise ValueError(
                f"Element {element} of {self} rotates by {self.angle(element):g} degrees, which "
                "does not map the pixel grid onto itself."
            )
        return quarters


@functools.cache
def _product_table(group: Group) -> np.ndarray:
    n = group.rotations
    elements = np.arange(group.order)
    reflected, rotation = elements // n, elements % n
    # r^a s^p r^b s^q = r^(a + b) s^q where p = 0, and r^(a - b) s^(1 + q) where p = 1.
    sign = np.where(reflected, -1, 1)
    rotations = (rotation[:, None] + sign[:, None] * rotation[None, :]) % n
    reflections = (reflected[:, None] + reflected[None, :]) % 2
    return _read_only(reflections * n + rotations)


@functools.cache
def _inverse_table(group: Group) -> np.ndarray:
    return _read_only(np.argmin(group.product_table(), axis=1))


@functools.cache
def _embedding(group: Group, subgroup: Group) -> np.ndarray:
    if not group.contains(subgroup):
        raise ValueError(
            f"{subgroup} is not a subgroup of {group}: it would need a number of rotations that "
            f"divides {group.rotations}{'' if group.mirrors else ', and no reflections'}."
        )
    reflected, rotation = np.divmod(np.arange(subgroup.order), subgroup.rotations)
    step = group.rotations // subgroup.rotations
    return _read_only(reflected * group.rotations + rotation * step)


@functools.cache
def _right_cosets(group: Group, subgroup: Group) -> np.ndarray:
    # Column c holds the coset H c.
    cosets = group.product_table()[group.embed(subgroup)]
    representatives = np.flatnonzero(cosets.min(axis=0) == np.arange(group.order))
    return _read_only(np.ascontiguousarray(cosets[:, representatives].T))


@functools.cache
def _grid_permutation(group: Group, element: int, size: int) -> np.ndarray:
    grid = np.arange(size * size).reshape(size, size, 1)
    return _read_only(np.ascontiguousarray(group.transform(grid, element)).reshape(-1))


def _read_only(table: np.ndarray) -> np.ndarray:
    table.setflags(write=False)
    return table


@dataclass(frozen=True)
class Symmetry:
    """How a network treats the orientation of its input: the value of `model.symmetry`.

    Args:
        kind: `"none"`; `"regular"`, feature maps are stacks of regular fields of `group`; or
            `"rotational"`, feature maps stay scalar and each convolution takes the maximum over
            the rotations of `group` (`RotationalConv2D`).
        group: None for `"none"`.
        rotate: what a rotational convolution rotates: its `"filters"` or its `"inputs"`.

    Example:

    >>> Symmetry.parse("d4").group
    Group(rotations=4, mirrors=True)
    >>> str(Symmetry.parse("rot4_inputs"))
    'rot4_inputs'
    """

    kind: Literal["none", "regular", "rotational"] = "none"
    group: Group | None = None
    rotate: Literal["filters", "inputs"] = "filters"

    @classmethod
    def parse(cls, name: str | Symmetry | None) -> Symmetry:
        """Reads `"none"`, `"c<n>"`, `"d<n>"`, `"rot<n>"` or `"rot4_inputs"`.

        Raises:
            ConfigurationError: the name is none of these.
        """
        if isinstance(name, Symmetry):
            return name
        if name in (None, "none"):
            return cls()
        if name == "rot4_inputs":
            return cls("rotational", Group(4), rotate="inputs")
        match = re.fullmatch(r"(c|d|rot)([1-9]\d*)", str(name))
        if match is None or int(match[2]) < 2:
            raise ConfigurationError(
                f'There is no symmetry "{name}". Known: none, c4, d4 and other c<n> and d<n>, '
                "rot4, rot8 and other rot<n>, rot4_inputs."
            )
        kind, rotations = match[1], int(match[2])
        if kind == "rot":
            return cls("rotational", Group(rotations))
        return cls("regular", Group(rotations, mirrors=kind == "d"))

    def __str__(self) -> str:
        if self.group is None:
            return "none"
        if self.kind == "rotational":
            suffix = "_inputs" if self.rotate == "inputs" else ""
            return f"rot{self.group.rotations}{suffix}"
        return str(self.group)

    @property
    def order(self) -> int:
        """Channels of one field: |G| for regular fields, 1 for scalar ones."""
        return self.group.order if self.kind == "regular" and self.group else 1

    def whole_fields(self, channels: float, divisible_by: int = 1) -> int:
        """The nearest number of channels that is whole fields, at least one.

        Args:
            channels: how many are wished for.
            divisible_by: a number of parts that fields are to be divided into without rest.

        Example:

        >>> Symmetry.parse("d4").whole_fields(30), Symmetry.parse("c4").whole_fields(30, 4)
        (32, 32)
        """
        part = self.order * divisible_by
        return part * max(1, round(channels / part))

    def whole_groups(self, groups: int, channels_in: int, channels_out: int) -> int:
        """The number of groups of a grouped convolution that keeps fields whole.

        Where there are fewer fields than groups, groups are merged.

        Args:
            groups: of the plain convolution.
            channels_in, channels_out: of whole fields.
        """
        return math.gcd(groups, channels_in // self.order, channels_out // self.order)
