"""DropBlock that drops whole fields."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.field_layout import count_fields
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.symmetry import Group

__all__ = ["FieldDropBlock"]


@keras.saving.register_keras_serializable(package="lensnet")
class FieldDropBlock(keras.layers.Layer):
    """DropBlock: drops square blocks of a map, the same ones in all channels of a field.

    (Ghiasi et al. 2018, arXiv:1810.12890, algorithm 1.) Neighbouring pixels know much of each
    other, so that dropping single ones takes little away. Each block starts with probability
    `gamma = rate / block_size^2 * size^2 / (size - block_size + 1)^2` (equation 1) at every
    place where it lies wholly within the map, for each example and field by itself; what is left
    is scaled by all pixels over those kept, counted over the batch. At inference nothing is
    dropped.

    Blocks may overlap, which equation 1 leaves out of account: the share dropped is at most
    `rate`, and below it where `rate` is large. Deviations: a block is given by its corner and
    not by its centre, so that blocks of even size have a place; blocks larger than the map are
    cut to it, as in the authors' code; and `rate` is constant, where the paper raises it from 0
    during training.

    Args:
        group: the fields' group, such as `"d4"`; `"c1"` for plain channels.
        rate: the share of pixels to drop, at least 0 and below 1.
        block_size: side of the blocks, in pixels of the map.
        seed: of the random draws; None for one of its own.

    Input shape:
        (batch, height, width, fields * |G|), `channel = field * |G| + element`.

    Output shape:
        that of the input.

    Raises:
        ValueError: an argument out of range, channels that are not whole fields, or a map whose
            size is not known.

    Example:

    >>> import keras
    >>> x = keras.ops.ones((2, 9, 9, 16))
    >>> tuple(FieldDropBlock("c4", 0.1, block_size=3)(x, training=True).shape)
    (2, 9, 9, 16)
    """

    fold_transparent = True

    def __init__(
        self,
        group: str,
        rate: float,
        block_size: int = 7,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate is at least 0 and below 1; got {rate!r}.")
        if not isinstance(block_size, int) or block_size < 1:
            raise ValueError(f"block_size is a positive number of pixels; got {block_size!r}.")
        self.group = str(group)
        self.rate = rate
        self.block_size = block_size
        self.seed = seed
        self._group = Group.parse(self.group)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self._fields = count_fields(input_shape, self._group, self.name)
        height, width = input_shape[1:3]
        if height is None or width is None:
            raise ValueError(
                f"{self.name}: the probability of a block follows from the map's size, which must "
                f"be known; got {input_shape}."
            )
        self._size = (height, width)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        kept = self._draw_kept(ops.shape(inputs)[0])
        share = ops.maximum(ops.mean(kept), keras.config.epsilon())
        scale = ops.cast(kept / share, inputs.dtype)
        fields = ops.reshape(inputs, (-1, *self._size, self._fields, self._group.order))
        return ops.reshape(fields * scale[..., None], ops.shape(inputs))

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        return graph.leave_out(self, inputs)

    def _draw_kept(self, batch: Any) -> Any:
        """1 where a pixel of a field is kept, else 0: float32 (batch, height, width, fields)."""
        height, width = self._size
        block = min(self.block_size, height, width)
        rows, columns = height - block + 1, width - block + 1
        gamma = self.rate / block**2 * (height * width) / (rows * columns)
        draws = keras.random.uniform(
            (batch, rows, columns, self._fields), dtype="float32", seed=self.seed_generator
        )
        corners = ops.cast(draws < gamma, "float32")
        # The maximum over the places at which a block would cover the pixel.
        around = (block - 1, block - 1)
        corners = ops.pad(corners, ((0, 0), around, around, (0, 0)))
        return 1 - ops.max_pool(corners, block, 1, "valid", data_format="channels_last")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "group": self.group,
            "rate": self.rate,
            "block_size": self.block_size,
            "seed": self.seed,
        }
