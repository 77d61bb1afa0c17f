"""Going on with fewer symmetries."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.field_layout import count_fields
from lensnet.layers.folding.arrays import cast
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.symmetry import Group

__all__ = ["SubgroupRestriction"]


@keras.saving.register_keras_serializable(package="lensnet")
class SubgroupRestriction(keras.layers.Layer):
    """Reads a stack of regular fields of a group as one of a subgroup, by reordering channels.

    Restricted to a subgroup H, a regular field of G is |G| / |H| regular fields of H, one for
    each coset H c: channel h of the field of c is channel `h c` of the original. What follows
    need only be symmetric under H, so that a network may forget, in its deeper layers, symmetries
    that hold for small features and not for large ones (Weiler & Cesa 2019, arXiv:1911.08251,
    section 2.7 and table 4). No value changes and no channel is lost.

    Args:
        group: the input's group G, such as `"d8"`.
        subgroup: the output's group H, such as `"c4"`. C_m lies in C_n and D_n, and D_m in D_n,
            where m divides n.

    Input shape:
        (..., fields * |G|), `channel = field * |G| + element`.

    Output shape:
        that of the input: (..., fields * |G| / |H| * |H|); the new fields are ordered by field,
        then coset.

    Raises:
        ValueError: `subgroup` is none of `group`, or channels that are not whole fields.

    Example:

    >>> import keras
    >>> field = keras.ops.reshape(keras.ops.arange(4.0), (1, 4))
    >>> keras.ops.convert_to_numpy(SubgroupRestriction("c4", "c2")(field)).tolist()
    [[0.0, 2.0, 1.0, 3.0]]
    """

    fold_absorbed = True

    def __init__(self, group: str, subgroup: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.group = str(group)
        self.subgroup = str(subgroup)
        self._group = Group.parse(self.group)
        self._channels = self._group.right_cosets(Group.parse(self.subgroup)).reshape(-1)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        count_fields(input_shape, self._group, self.name)

    def call(self, inputs: Any) -> Any:
        return ops.take(inputs, self._permutation(inputs.shape[-1]), axis=-1)

    def _permutation(self, channels: int) -> list[int]:
        """Where each channel of the output stands in the input."""
        fields = range(0, channels, self._group.order)
        return [int(first + element) for first in fields for element in self._channels]

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        return graph.permute(cast(self, inputs), np.array(self._permutation(inputs.shape[-1])))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "group": self.group, "subgroup": self.subgroup}
