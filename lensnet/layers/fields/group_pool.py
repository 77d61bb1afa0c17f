"""Pooling over the elements of a group: what is left does not know the orientation."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.folding.graph import FoldedGraph
from lensnet.symmetry import Group

__all__ = ["GroupPool"]


@keras.saving.register_keras_serializable(package="lensnet")
class GroupPool(keras.layers.Layer):
    """Reduces each regular field to one channel that is invariant under the group.

    (Cohen & Welling 2016, arXiv:1602.07576, section 6.3.) The channels of a field only change
    places when the image is rotated, so any symmetric function of them is invariant.

    Args:
        group: the fields' group, such as `"d4"`.
        mode: `"max"` or `"mean"`.

    Input shape:
        (..., fields * |G|), `channel = field * |G| + element`.

    Output shape:
        (..., fields).

    Raises:
        ValueError: an unknown mode, or channels that are not whole fields.

    Example:

    >>> import keras
    >>> pooled = GroupPool("c4")(keras.ops.reshape(keras.ops.arange(8.0), (1, 8)))
    >>> keras.ops.convert_to_numpy(pooled).tolist()
    [[3.0, 7.0]]
    """

    def __init__(self, group: str, mode: str = "max", **kwargs: Any):
        super().__init__(**kwargs)
        if mode not in ("max", "mean"):
            raise ValueError(f'mode is "max" or "mean"; got {mode!r}.')
        self.group = str(group)
        self.mode = mode
        self._group = Group.parse(self.group)

    def call(self, inputs: Any) -> Any:
        *outer, channels = inputs.shape
        shape = [-1 if size is None else size for size in outer]
        fields = ops.reshape(inputs, (*shape, channels // self._group.order, self._group.order))
        return ops.max(fields, axis=-1) if self.mode == "max" else ops.mean(fields, axis=-1)

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        *outer, channels = inputs.shape[1:]
        order, policy = self._group.order, self.dtype_policy
        kind = {
            "max": keras.layers.GlobalMaxPooling1D,
            "mean": keras.layers.GlobalAveragePooling1D,
        }[self.mode]
        # Every field of every pixel is a row.
        rows = keras.layers.Reshape((-1, order), dtype=policy, name=f"{self.name}.fields")
        name = f"{self.name}.pool" if outer else self.name
        pool = kind(data_format="channels_first", dtype=policy, name=name)
        x = graph.add_layer(pool, graph.add_layer(rows, inputs)[1])[1]
        if not outer:
            return x
        shape = tuple(-1 if size is None else size for size in (*outer, channels // order))
        reshape = keras.layers.Reshape(shape, dtype=policy, name=self.name)
        return graph.add_layer(reshape, x)[1]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        channels = input_shape[-1]
        if channels is None or channels % self._group.order:
            raise ValueError(
                f"{self.name}: {channels} channels are not whole fields of {self.group} "
                f"({self._group.order} channels each)."
            )
        return (*input_shape[:-1], channels // self._group.order)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "group": self.group, "mode": self.mode}
