"""What of a network's answer is explained: one number an image."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from lensnet.layers import GroupAveraged
from lensnet.models.head_tensors import logits_of_head
from lensnet.symmetry import Group

__all__ = ["Answer", "unwrapped"]


class Answer:
    """The number of a model's answer that is explained.

    Of a classifier the logit of one class, before any temperature and before the last activation,
    in which probabilities near 1 would hide every difference; where it has a single output, of
    class 1, its negative for class 0. Of a regression the prediction, in the target's unit.

    Args:
        model: as a run saves it.
        chosen: of each image the class, (N,); None to explain the first output as it is.

    Raises:
        ConfigurationError: the model has no head.
    """

    def __init__(self, model: keras.Model, chosen: np.ndarray | None = None):
        self.inner, self.group = unwrapped(model)
        self.tensor = self.inner.output if chosen is None else logits_of_head(self.inner)
        self.chosen = chosen

    def of(self, outputs: Any, rows: slice | np.ndarray = slice(None)) -> Any:
        """Returns the number of each image from what `tensor` holds, (N, K), as a tensor (N,).

        Args:
            outputs: of the images.
            rows: which of all images these are.
        """
        outputs = keras.ops.cast(outputs, "float32")
        if self.chosen is None:
            return outputs[:, 0]
        chosen = np.asarray(self.chosen)[rows]
        if outputs.shape[1] == 1:
            return outputs[:, 0] * np.where(chosen == 1, 1.0, -1.0).astype(np.float32)
        picked = np.eye(outputs.shape[1], dtype=np.float32)[chosen]
        return keras.ops.sum(outputs * picked, axis=1)


def unwrapped(model: keras.Model) -> tuple[keras.Model, Group]:
    """Returns a model without the averaging over rotations, and the group that this is over."""
    if isinstance(model, GroupAveraged):
        return model.model, Group.parse(model.group)
    return model, Group(1)
