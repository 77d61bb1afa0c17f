"""Small folders of images to train on: rings are lenses, blobs are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["experiment_on", "ring_or_blob", "write_folder"]


def ring_or_blob(ring: bool, rng: np.random.Generator, size: int = 32) -> np.ndarray:
    """One noisy image, (size, size) float32."""
    centre = (size - 1) / 2 + rng.uniform(-2, 2, 2)
    rows, columns = np.mgrid[:size, :size]
    radius = np.hypot(rows - centre[0], columns - centre[1])
    light = np.exp(-0.5 * ((radius - size / 4) / 1.5) ** 2) if ring else np.exp(-radius / 4)
    return (light + 0.1 * rng.standard_normal((size, size))).astype("float32")


def write_folder(root: Path, per_class: int = 30, size: int = 32) -> Path:
    """Writes `ring/` and `blob/` of .npy images, and returns their folder."""
    rng = np.random.default_rng(0)
    for name in ("blob", "ring"):
        (root / name).mkdir(parents=True)
        for index in range(per_class):
            np.save(root / name / f"{index}.npy", ring_or_blob(name == "ring", rng, size))
    return root


def experiment_on(folder: Path, data_dir: Path, **sections: Any) -> dict[str, Any]:
    """An experiment on such a folder, as the mapping that a YAML file would hold.

    Its backbone is known where `tiny_backbone.register()` was called.
    """
    content: dict[str, Any] = {
        "name": "tiny",
        "task": "binary",
        "data": {
            "dataset": "image_folder",
            "source_dir": str(folder),
            "data_dir": str(data_dir),
            "splits": {"train": 0.6, "validation": 0.2, "test": 0.2},
        },
        "model": {"backbone": "tiny", "symmetry": "c4", "width": 0.125},
        "training": {"epochs": 2, "batch_size": 8},
        "tracking": {"tensorboard": False},
    }
    for name, values in sections.items():
        content[name] = {**content.get(name, {}), **values} if isinstance(values, dict) else values
    return content
