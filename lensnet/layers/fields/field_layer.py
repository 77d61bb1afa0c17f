"""What every layer on stacks of regular fields shares."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.field_layout import count_fields, to_channels
from lensnet.symmetry import Group

__all__ = ["FieldLayer"]


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

    def _to_components(self, values: Any) -> Any:
        """One value a field as one an irreducible component of a single head; None stays."""
        return None if values is None else ops.tile(values, self._group.order)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "group": self.group}
