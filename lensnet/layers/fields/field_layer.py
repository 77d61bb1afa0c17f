"""What every layer on stacks of regular fields shares."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.field_layout import count_fields, to_channels
from lensnet.symmetry import Group

__all__ = ["BasisLayer", "FieldLayer", "check_basis"]

_BASES = ("irreps", "regular")


class FieldLayer(keras.layers.Layer):
    """Base of the layers on stacks of regular fields, channels last.

    It keeps the group, counts the input's fields when the layer is built, and answers in the
    shape of the input, where a layer does not say otherwise.

    Args:
        group: the fields' group, such as `"d4"`; `"c1"` for channels that are not fields.

    Raises:
        ValueError: when it is built, channels that are not whole fields.
    """

    def __init__(self, group: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.group = str(group)
        self._group = Group.parse(self.group)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self._fields = count_fields(input_shape, self._group, self.name)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def _to_channels(self, values: Any) -> Any:
        """One value a field as one a channel; None stays."""
        return to_channels(values, self._group)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "group": self.group}


class BasisLayer(FieldLayer):
    """Base of the layers that know regular fields in the basis of irreducible components too.

    Args:
        group: as of `FieldLayer`.
        basis: of the channels, `"regular"` or `"irreps"` (`lensnet.layers.fields.irreps`).

    Raises:
        ValueError: an unknown basis.
    """

    def __init__(self, group: str, basis: str = "regular", **kwargs: Any):
        super().__init__(group, **kwargs)
        self.basis = check_basis("basis", basis)

    def _to_basis(self, values: Any) -> Any:
        """One value a field as one a channel of the basis, of one head."""
        if self.basis == "regular":
            return self._to_channels(values)
        return ops.tile(values, self._group.order)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "basis": self.basis}


def check_basis(argument: str, basis: str) -> str:
    """Returns the basis.

    Raises:
        ValueError: there is no such basis.
    """
    if basis not in _BASES:
        raise ValueError(f"{argument} is {' or '.join(map(repr, _BASES))}; got {basis!r}.")
    return basis
