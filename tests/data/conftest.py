"""Folders of small images, and experiments on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lensnet.config import Experiment


def image_of(label: str, index: int, size: int = 8) -> np.ndarray:
    """An image that tells which one it is: (size, size) float32."""
    random = np.random.default_rng([len(label), sum(map(ord, label)), index])
    return random.random((size, size), dtype=np.float32)


@pytest.fixture
def write_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes `class/<index>.npy` files, as many of each class as asked for."""

    def write(counts: Mapping[str, int], name: str = "source", size: int = 8) -> Path:
        for label, count in counts.items():
            folder = tmp_path / name / label
            folder.mkdir(parents=True, exist_ok=True)
            for index in range(count):
                np.save(folder / f"{index}.npy", image_of(label, index, size))
        return tmp_path / name

    return write


@pytest.fixture
def make_experiment(tmp_path: Path) -> Callable[..., Experiment]:
    """Returns an experiment on the images of a folder; keywords go into its `data`."""

    def make(
        source_dir: Path | None, *, task: str = "classification", network_seed: int = 0, **data: Any
    ) -> Experiment:
        data = {
            "dataset": "image_folder",
            "source_dir": str(source_dir) if source_dir else None,
            "data_dir": str(tmp_path / "prepared"),
            **data,
        }
        model = {"backbone": "resnet18"}
        return Experiment.model_validate(
            {"name": "test", "task": task, "seed": network_seed, "data": data, "model": model}
        )

    return make
