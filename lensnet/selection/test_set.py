"""A folder of real galaxies, without and with arcs, that the data set `image_folder` reads."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from lensnet.config.documents import dump
from lensnet.data.sources.splits import SPLITS, assign_simulated_split
from lensnet.files import write_text

__all__ = ["TestSet"]

FRACTIONS = (0.5, 0.2, 0.3)
"""Of the galaxies, by split."""


class TestSet:
    """Writes images of galaxies as negatives, and the same with arcs as positives.

    A galaxy and its arc are in one split: nothing is to be learned from the galaxy.

    Args:
        folder: where the images go: `<split>/<class>/<number>_<name>.npy`.
        classes: the negatives' and the positives' class.
        seed: of the splits.
    """

    # Not a test, whatever pytest takes its name for.
    __test__ = False

    def __init__(self, folder: Path, classes: tuple[str, str], seed: int):
        self.folder, self.classes, self.seed = folder, classes, seed
        for split in SPLITS:
            for name in classes:
                (folder / split / name).mkdir(parents=True)

    def add(self, number: int, name: str, galaxy: np.ndarray, painted: np.ndarray) -> str:
        """Writes a galaxy and its arc, and returns their split.

        Args:
            number: of the galaxy.
            name: its id.
            galaxy: (H, W, C) float32.
            painted: the same with an arc.
        """
        split = assign_simulated_split(self.seed, "selection", number, FRACTIONS)
        # Names come from files anywhere, in folders too: what is left of one only helps to find it.
        readable = re.sub(r"[^\w.+-]", "-", name)[-60:].lstrip(".-")
        for image, label in zip((galaxy, painted), self.classes, strict=True):
            file = self.folder / split / label / f"{number:06d}_{readable}.npy"
            np.save(file, image[..., 0] if image.shape[2] == 1 else image)
        return split

    def write_experiment(self, path: Path, name: str, classes: tuple[str, ...]) -> None:
        """Writes what `lensnet evaluate RUN --data` reads.

        Args:
            path: the YAML file.
            name: under which the results are kept.
            classes: of the run, in its order.
        """
        data = {
            "dataset": "image_folder",
            "source_dir": str(self.folder.resolve()),
            "options": {"classes": list(classes)},
        }
        write_text(path, dump({"name": name, "data": data}))
