"""Runs and surveys of small images, and what people say of them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lens_images import ring_or_blob

from lensnet.csv_tables import writing_table

SIZE = 32


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """Eighty cutouts, every fourth a ring, and their scores: rings have the highest."""
    random = np.random.default_rng(5)
    folder = tmp_path / "survey"
    folder.mkdir()
    heads = ["id", "file", "predicted", "score_blob", "score_ring", "status"]
    with writing_table(folder / "scores.csv", heads, heads[3:5]) as table:
        for number in range(80):
            is_ring = number % 4 == 0
            np.save(folder / f"J{number:03d}.npy", ring_or_blob(is_ring, random, SIZE))
            score = 0.9 * is_ring + 0.001 * number
            name = f"J{number:03d}"
            row = [name, f"{name}.npy", "ring", f"{1 - score:.4f}", f"{score:.4f}", "ok"]
            table.row(row)
    return folder


@pytest.fixture
def write_grades(tmp_path: Path) -> Callable[..., Path]:
    """Writes what the oracle says of the objects of such numbers."""

    def write(numbers: Any, name: str = "grades.csv", **more: str) -> Path:
        grades = {f"J{n:03d}": "A" if n % 4 == 0 else "X" for n in numbers} | more
        with writing_table(tmp_path / name, ["id", "grade", "grader", "comment", "time"]) as table:
            table.rows([id_, grade, "oracle", "", ""] for id_, grade in grades.items())
        return tmp_path / name

    return write


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run that has been trained on folders of rings and blobs; its model is none.

    What plans a round looks at no more than its documents.
    """
    path = tmp_path / "runs" / "rings"
    path.mkdir(parents=True)
    (path / "experiment.yaml").write_text(
        f"""\
name: rings
task: binary
data:
  dataset: image_folder
  source_dir: {tmp_path / "folder"}
  splits: {{train: 0.6, validation: 0.2, test: 0.2}}
  seed: 4
model: {{backbone: resnet18}}
training: {{epochs: 5, optimizer: {{learning_rate: 1.0e-3}}, schedule: {{warmup_epochs: 2}}}}
"""
    )
    (path / "data.json").write_text(
        json.dumps(
            {
                "records": "image_folder/files-0/1.0.0",
                "classes": ["blob", "ring"],
                "native_shape": [SIZE, SIZE, 1],
                "image_shape": [SIZE, SIZE, 1],
                "counts": {"train": {"blob": 18, "ring": 18}},
                "preprocessing": {"native_shape": [SIZE, SIZE, 1]},
            }
        )
    )
    with zipfile.ZipFile(path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    return path
