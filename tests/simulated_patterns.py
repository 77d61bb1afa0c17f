"""A simulator of noise that needs nothing to be compiled, for tests of whatever runs simulators."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

import numpy as np

from lensnet.simulation.simulator import SimulatedImage

__all__ = ["Means", "Patterns"]


@dataclass(frozen=True)
class Patterns:
    """Noise that tells class, index and seed; `does` something else for index 5.

    Args:
        image_size: pixels a side.
        classes: the classes; () for a regression of the mean pixel.
        does: "raise", "hang", "die", or "infinite", "shape" or "target", which are then wrong.
    """

    image_size: int = 8
    classes: tuple[str, ...] = ("a", "b", "c")
    does: str = ""

    def simulate(self, class_name: str | None, index: int, seed: int) -> SimulatedImage:
        label = self.classes.index(class_name) if class_name else None
        random = np.random.default_rng([seed, index, 0 if label is None else label + 1])
        image = random.random((self.image_size, self.image_size, 1), dtype=np.float32)
        target = None if self.classes else float(image.mean())
        if index == 5:
            if self.does == "raise":
                raise ValueError("no light\nat all")
            if self.does == "hang":
                time.sleep(600)
            if self.does == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            image = image[1:] if self.does == "shape" else image
            image = image / 0 if self.does == "infinite" else image
            target = None if self.does == "target" else target
        return SimulatedImage(image=image, label=label, target=target, metadata={})

    def noise_free(self, class_name: str | None, index: int, seed: int) -> np.ndarray:
        raise NotImplementedError


@dataclass(frozen=True)
class Means(Patterns):
    """Noise whose mean pixel is the target of a regression."""

    classes: tuple[str, ...] = ()
