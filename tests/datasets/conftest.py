"""Experiments on simulated data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lensnet.config import Experiment


@pytest.fixture
def make_experiment(tmp_path: Path) -> Callable[..., Experiment]:
    """Returns an experiment on a data set; keywords go into its `data`."""

    def make(dataset: str, task: str, seed: int = 0, **data: Any) -> Experiment:
        data = {"dataset": dataset, "data_dir": str(tmp_path / "prepared"), **data}
        model = {"backbone": "resnet18"}
        return Experiment.model_validate(
            {"name": "test", "task": task, "seed": seed, "data": data, "model": model}
        )

    return make
