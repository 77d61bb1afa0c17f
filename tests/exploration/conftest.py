"""Folders of small images, and experiments on them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lensnet.config import Experiment


@pytest.fixture(scope="module")
def write_images(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Writes `label/name.npy` files from a mapping of such names to arrays, and returns where."""
    above, numbers = tmp_path_factory.mktemp("sources"), itertools.count()

    def write(images: Mapping[str, np.ndarray]) -> Path:
        folder = above / f"source{next(numbers)}"
        for name, image in images.items():
            path = folder / f"{name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, image)
        return folder

    return write


@pytest.fixture(scope="module")
def experiment_on(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Experiment]:
    """Returns an experiment on a folder; keywords go into its `data`."""
    data_dir = tmp_path_factory.mktemp("prepared")

    def make(source_dir: Path | None, *, task: str = "classification", **data: Any) -> Experiment:
        return Experiment.model_validate(
            {
                "name": "known",
                "task": task,
                "data": {
                    "dataset": "image_folder",
                    "source_dir": str(source_dir) if source_dir else None,
                    "data_dir": str(data_dir),
                    # So that a file's name decides its split.
                    "stratify": False,
                    **data,
                },
                "model": {"backbone": "resnet18"},
            }
        )

    return make
