"""Run folders as `lensnet fit` and `lensnet invariance` leave them, without their training."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from lensnet.csv_tables import writing_table
from lensnet.evaluation import binary_metrics, figures, rotation_report
from lensnet.evaluation.bootstrap import confidence_intervals
from lensnet.evaluation.resampled_metrics import resampled_classes
from lensnet.evaluation.search_yield import describe_search

__all__ = ["EVIL", "write_run"]

EVIL = "<img src=x onerror=alert(1)> \u202e=cmd()"

EXPERIMENT = """\
name: made-up
task: binary
data: {dataset: image_folder}
model: {backbone: resnet18, symmetry: c4}
training: {epochs: 2}
"""


def write_run(
    path: Path,
    seed: int = 0,
    examples: int = 60,
    classes: tuple[str, str] = ("galaxy", EVIL),
    *,
    draw: bool = False,
) -> Path:
    """Writes a finished run of a search among `examples` images, with the seed's scores."""
    (path / "figures").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    labels = np.arange(examples) % 2
    scores = 1 / (1 + np.exp(-(2 * labels - 1 + (1 + 0.3 * seed) * rng.normal(size=examples))))
    (path / "experiment.yaml").write_text(EXPERIMENT)
    environment = {"started": "2026-11-02T16:05:00+00:00", "platform": "Linux", "cpu_count": 2}
    (path / "environment.json").write_text(json.dumps(environment))
    (path / "data.json").write_text(json.dumps({"classes": classes, "counts": {}}))
    measure = resampled_classes(labels, scores)
    intervals = confidence_intervals(measure, labels, 100)
    metrics = {
        "validation": {},
        "test": {**binary_metrics(labels, scores), "rotation_std": 0.02 * (1 + seed)},
        "timing": {"milliseconds_for_one_image": 3.0 + seed, "images_per_second": 400.0},
        "model": {"parameters": 12_345, "multiply_adds": 6_000_000 * (1 + seed)},
        "undefined": {"test": {"tpr10": f'there is no image of "{classes[1]}"'}},
        "intervals": {"test": {k: v for k, v in intervals.items() if v is not None}},
        "search": describe_search(labels, scores, 0.001),
        "warnings": [f"Of {classes[1]} there is little."],
    }
    (path / "metrics.json").write_text(json.dumps(metrics))
    heads = ["id", "label", "predicted", *(f"score_{name}" for name in classes)]
    with writing_table(path / "predictions.csv", heads, heads[3:]) as table:
        for index, (label, score) in enumerate(zip(labels, scores, strict=True)):
            given = classes[int(score > 0.5)]
            table.row([f"{index}{EVIL}", classes[label], given, f"{1 - score:.7g}", f"{score:.7g}"])
    with (path / "history.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [["epoch", "loss", "val_loss", "seconds"], [1, 0.9, 0.8, 2], [2, 0.5, 0.4, 2]]
        )
    images = rng.uniform(size=(8, 8, 8, 1)).astype(np.float32)
    found = rotation_report(lambda x: x[:, 0, 0], images)
    sets = {
        "right angles": {
            **found.metrics(),
            "intervals": {"rotation_std": [0.01, 0.3]},
            "angles": found.angles.tolist(),
            "rms_change": found.rms_change.tolist(),
            **found.truth_by_angle(labels[:8]),
        }
    }
    (path / "invariance.json").write_text(json.dumps({"sets": sets, "examples": 8}))
    if not draw:
        return path
    drawn = {
        "roc_curve": figures.roc_curve(labels, scores, classes),
        "rotation_worst_4": figures.rotation_worst(found, images, labels[:8], classes),
    }
    for name, figure in drawn.items():
        figures.save(figure, path / "figures" / f"{name}.png", dpi=50)
    return path
