"""What every simulator offers and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

__all__ = ["SimulatedImage", "Simulator", "label_of"]


@dataclass(frozen=True, eq=False)
class SimulatedImage:
    """One simulated image and what it shows.

    Attributes:
        image: shape (image_size, image_size, 1), float32, in the simulator's units.
        label: position of the image's class in the simulator's `classes`; None for regression.
        target: what a regression predicts; None for classification.
        metadata: the parameters that were drawn, by a name that carries the unit. Every image of a
            simulator has the same keys; a value that does not apply to the image is nan.
    """

    image: np.ndarray
    label: int | None
    target: float | None
    metadata: Mapping[str, float]


@runtime_checkable
class Simulator(Protocol):
    """A frozen value that holds its options and makes images from them."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in label order; empty for regression."""
        ...

    @property
    def image_size(self) -> int:
        """Pixels a side."""
        ...

    def simulate(self, class_name: str | None, index: int, seed: int) -> SimulatedImage:
        """Returns image number `index` of a class: a pure function of options and arguments.

        The seed is any integer from 0 to 2^63 - 1: `data.fresh` has one for each epoch.
        """
        ...

    def noise_free(self, class_name: str | None, index: int, seed: int) -> np.ndarray:
        """Returns the same image before noise, (image_size, image_size), float64."""
        ...


def label_of(classes: tuple[str, ...], class_name: str | None) -> int:
    """Returns the label of a class.

    Raises:
        ValueError: `class_name` is not one of `classes`.

    >>> label_of(("nonlens", "lens"), "lens")
    1
    """
    if class_name not in classes:
        raise ValueError(
            f"class_name must be one of {', '.join(map(repr, classes))}; got {class_name!r}."
        )
    return classes.index(class_name)
