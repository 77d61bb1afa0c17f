"""Folders of small images, and experiments on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lensnet.config import Experiment


@pytest.fixture
def write_images(tmp_path: Path) -> Callable[..., Path]:
    """Writes `label/name.npy` files from a mapping of such names to arrays."""

    def write(images: Mapping[str, np.ndarray], folder: str = "source") -> Path:
        for name, image in images.items():
            path = tmp_path / folder / f"{name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, image)
        return tmp_path / folder

    return write


@pytest.fixture
def experiment_on(tmp_path: Path) -> Callable[..., Experiment]:
    """Returns an experiment on a folder; keywords go into its `data`."""

    def make(source_dir: Path | None, *, task: str = "classification", **data: Any) -> Experiment:
        return Experiment.model_validate(
            {
                "name": "known",
                "task": task,
                "data": {
                    "dataset": "image_folder",
                    "source_dir": str(source_dir) if source_dir else None,
                    "data_dir": str(tmp_path / "prepared"),
                    # So that a file's name decides its split.
                    "stratify": False,
                    **data,
                },
                "model": {"backbone": "resnet18"},
            }
        )

    return make
