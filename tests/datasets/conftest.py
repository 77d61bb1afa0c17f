"""Experiments on small data sets, and what has been prepared of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from lensnet.config import Experiment
from lensnet.config.problems import problems
from lensnet.data import PreparedData, prepare


class Record(NamedTuple):
    """What has become of an example.

    Args:
        image: (H, W, C), raw.
        value: the class, or the target.
        split: where it is.
        file: its files.
        metadata: what else is known.
    """

    image: np.ndarray
    value: str | float
    split: str
    file: str
    metadata: dict[str, float]


@pytest.fixture
def make_experiment(tmp_path: Path) -> Callable[..., Experiment]:
    """Returns an experiment on a data set; keywords go into its `data`."""

    def make(dataset: str, task: str, network_seed: int = 0, **data: Any) -> Experiment:
        data = {"dataset": dataset, "data_dir": str(tmp_path / "prepared"), **data}
        data = {key: str(value) if key == "source_dir" else value for key, value in data.items()}
        model = {"backbone": "resnet18"}
        experiment = Experiment.model_validate(
            {"name": "test", "task": task, "seed": network_seed, "data": data, "model": model}
        )
        assert problems(experiment) == []
        return experiment

    return make


@pytest.fixture
def read_back() -> Callable[[PreparedData], dict[str, Record]]:
    """Returns every record of prepared data by its id."""

    def read(data: PreparedData) -> dict[str, Record]:
        with open(data.directory / "examples.csv", newline="") as file:
            rows = {row["id"]: row for row in csv.DictReader(file)}
        records = {}
        for split in ("train", "validation", "test"):
            part = getattr(data.splits, split)
            of_split = data.builder.as_dataset(split=part if isinstance(part, str) else split)
            for record, known, value in zip(of_split, *data.examples(split), strict=True):
                name = record["id"].numpy().decode()
                assert name == known and name not in records
                stored = record["label" if data.classes else "target"].numpy()
                assert stored == np.float32(value)
                records[name] = Record(
                    record["image"].numpy(),
                    data.classes[value] if data.classes else value,
                    split,
                    rows[name]["file"],
                    json.loads(rows[name]["metadata"] or "{}"),
                )
        assert records.keys() == rows.keys()
        return records

    return read


@pytest.fixture
def prepare_catalogue(make_experiment):
    """Prepares a table of a few rows: its directory, by source_dir, task and options."""

    def prepared(
        source_dir,
        task="classification",
        transform="standardised",
        stratify=True,
        **options,
    ):
        splits = {"train": 0.4, "validation": 0.3, "test": 0.3}
        made = make_experiment(
            "fits_catalog",
            task,
            source_dir=source_dir,
            options=options,
            splits=splits,
            target_transform=transform,
            stratify=stratify,
        )
        return prepare(made)

    return prepared
