"""What is measured of a trained row of the small studies, in a process of its own.

A run of `lensnet fit` is measured on the test sets of experiments/small/tests, as `lensnet evaluate
--data` does, and rotated, as `lensnet invariance` does. The rows of the question of initialisation
are trained here as well: their networks are those of benchmarks/invariance.py.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from processes import answer_requests
from small_reckoning import share_above

__all__ = ["measure", "train_invariance"]

ANGLES = 8
"""At how many angles the rotation std at any angle is measured: 0, 45, ... 315 degrees."""

NO_SUBSTRUCTURE = "no_sub"
"""The class of Model I against which the others are searched for."""

SEARCH_RATES = ("tpr0", "tpr_at_fpr_1e-2", "tpr_at_fpr_1e-3")

LARGEST_ROTATED = 5000
"""Test images above which a run is rotated by right angles alone, as `lensnet fit` has done."""


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Measures a finished run.

    Args:
        request: `run`, its folder; `tests`, files by name; `scores`, where the scores on the test
            of that name go, or None; `recovered`, of `Recovered`, or None, and `real`, a folder.

    Returns:
        what a row of the results holds of it.
    """
    from lensnet.run_folder import RunFolder

    run = RunFolder.open(request["run"])
    metrics = run.read_json("metrics.json")
    scores, tests = {}, {}
    for name, path in request["tests"].items():
        labels, outputs, tests[name] = on_other_data(run, Path(path))
        scores[name] = (labels, outputs)
    if request["scores"]:
        name, path = request["scores"]
        labels, outputs = scores[name]
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, labels=labels, scores=outputs[:, -1])
    found: dict[str, Any] = {
        "parameters": metrics["model"]["parameters"],
        "multiply_adds": metrics["model"]["multiply_adds"],
        "validation": shortened(metrics["validation"]),
        "tests": {"test": shortened(metrics["test"]), **tests},
        "rotation_std": rotation_std(run, metrics["test"]),
        **training_of(run),
    }
    if request["recovered"]:
        found["recovered"] = recovered(run, request["recovered"], request["real"], scores)
    return found


def on_other_data(run: Any, path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """The labels, a run's outputs and its metrics on the test split of other data."""
    from lensnet.data import Preprocessing, prepare
    from lensnet.evaluation.other_experiment import read_other_data
    from lensnet.evaluation.run_opening import load_run_model, split_outputs
    from lensnet.layers import accelerate
    from lensnet.registry import load_object

    other = read_other_data(run, path)
    preprocessing = Preprocessing.from_dict(run.read_data().preprocessing.to_dict())
    data = prepare(other, preprocessing=preprocessing)
    with split_outputs(accelerate(load_run_model(run)), data, "test", keep_images=False) as (
        outputs,
        _,
    ):
        labels = np.asarray(data.examples("test").labels)
    measured = load_object(other.task_spec.metrics)(labels, outputs)
    if data.classes and data.classes[0] == NO_SUBSTRUCTURE:
        measured |= search_for_substructure(labels, outputs)
    return labels, np.asarray(outputs), shortened(measured)


def search_for_substructure(labels: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
    """The rates at which lenses with substructure of any kind are found, by 1 - p(no_sub).

    >>> search_for_substructure(np.arange(3), np.array([[.6, .2, .2], [.1, .2, .7], [1, 0, 0]]))
    {'tpr0': 0.5, 'tpr_at_fpr_1e-2': None, 'tpr_at_fpr_1e-3': None}
    """
    from lensnet.evaluation.metrics import binary_metrics

    found: dict[str, Any] = binary_metrics(labels != 0, 1 - outputs[:, 0], only=SEARCH_RATES)
    return found


def rotation_std(run: Any, test: dict[str, Any]) -> dict[str, float]:
    """By how much scores spread when test images rotate: at right angles, and at others too."""
    from lensnet.evaluation.run_invariance import measure_invariance

    if test["examples"] > LARGEST_ROTATED:
        return {"right angles": test["rotation_std"]}
    sets = measure_invariance(run, ANGLES, mirrors=False).sets
    return {name: float(f"{found.rotation_std:.3g}") for name, found in sets.items()}


def training_of(run: Any) -> dict[str, Any]:
    """How the training went: of each epoch the images seen, the seconds and the validation AUC."""
    from lensnet.best_epoch import BestEpochRule

    experiment, data = run.read_experiment(), run.read_json("data.json")
    history = run.read_history()
    training = experiment.training
    images = (training.steps_per_epoch or 0) * training.batch_size
    if not images:
        images = sum(data["counts"]["train"].values())
    rule = BestEpochRule.of(training.early_stopping, experiment.task_spec.monitors)
    return {
        "epochs": len(history),
        "images_per_epoch": images,
        "best_epoch": int(rule.best_row(history)["epoch"]),
        "training_seconds": round(sum(float(row["seconds"]) for row in history), 1),
        "curve": curve_of(history, images),
    }


def curve_of(history: list[dict[str, str]], images: int) -> list[list[float]]:
    """Of each epoch the images seen until its end, the seconds, and the validation AUC.

    >>> curve_of([{"seconds": "2", "val_auc": "0.7"}, {"seconds": "3", "val_auc": "0.8"}], 96)
    [[96, 2.0, 0.7], [192, 5.0, 0.8]]
    """
    curve, seconds = [], 0.0
    for number, row in enumerate(history, start=1):
        seconds += float(row["seconds"])
        if row.get("val_auc"):
            curve.append([number * images, round(seconds, 1), round(float(row["val_auc"]), 5)])
    return curve


def recovered(
    run: Any, asked: dict[str, Any], real: str, scores: dict[str, tuple[np.ndarray, np.ndarray]]
) -> dict[str, Any]:
    """The share of real lenses above the threshold that simulated non-lenses give, by folder."""
    labels, outputs = scores[asked["threshold_from"]]
    negatives = outputs[labels == 0, -1]
    found: dict[str, Any] = {"false_positive_rate": asked["false_positive_rate"]}
    for folder in ("lensed_galaxies", "lensed_quasars"):
        files = sorted((Path(real) / folder).glob("*_r.fits"))
        values = real_scores(run.path, files)
        found[folder] = {
            "share": share_above(values, negatives.tolist(), asked["false_positive_rate"]),
            "scored": len(values),
            "files": len(files),
        }
    return found


def real_scores(run: Path, paths: list[Path]) -> list[float]:
    """What `lensnet predict` gives of files; those that cannot be used are left out."""
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "scores.csv"
        command = [sys.executable, "-m", "lensnet", "predict", str(run), *map(str, paths)]
        subprocess.run([*command, "-o", str(output)], check=True, stdout=sys.stderr)
        with output.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    return [float(row["score_lens"]) for row in rows if row.get("score_lens")]


def shortened(metrics: dict[str, Any]) -> dict[str, Any]:
    """Metrics with six digits, which is more than they are good for."""
    return {
        name: float(f"{value:.6g}") if isinstance(value, float) else value
        for name, value in metrics.items()
    }


def train_invariance(request: dict[str, Any]) -> dict[str, Any]:
    """Trains a network of benchmarks/invariance.py, changed in one respect, and measures it.

    Args:
        request: `settings`, such as `gain=0.5`; `seed`; `cache`, a folder where the images are
            kept, which take longer to simulate than the network to train.
    """
    from dataclasses import replace

    import yaml
    from invariance import RECIPE, trained_summary
    from invariance_networks import MOMENTUM, NETWORKS, train

    settings = {
        "train_images": 2000,
        "test_images": 500,
        "steps": 400,
        "pooling": "max",
        "rate_factor": 1.0,
        "gain": 1.0,
        "momentum": MOMENTUM,
    }
    for text in request["settings"]:
        key, _, value = text.partition("=")
        settings[key] = yaml.safe_load(value)
    (shape,) = [shape for shape in NETWORKS if shape.symmetry == settings["symmetry"]]
    counts = [int(settings[key]) for key in ("train_images", "test_images", "steps")]
    data = invariance_images(Path(request["cache"]), *counts)
    recipe = {**RECIPE, "learning_rate": RECIPE["learning_rate"] * settings["rate_factor"]}
    recipe["warmup_steps"] = min(recipe["warmup_steps"], settings["steps"] // 2)
    trained = train(
        replace(shape, pooling=settings["pooling"]),
        request["seed"],
        data,
        recipe,
        gain=settings["gain"],
        momentum=settings["momentum"],
    )
    summary = trained_summary([trained.scores], [trained.right_angles], data["test_labels"])
    return {
        "parameters": None,
        "multiply_adds": shape.multiply_adds(),
        "tests": {"test": {"accuracy": trained.accuracy, "examples": len(data["test_labels"])}},
        "rotation_std": {
            "right angles": summary["rotation_std_right_angles"],
            "72 angles": summary["rotation_std"],
        },
        "steps": settings["steps"],
    }


def invariance_images(folder: Path, train: int, test: int, steps: int) -> dict[str, np.ndarray]:
    """The images of benchmarks/invariance.py, simulated once."""
    from invariance import make_images

    path = folder / f"invariance-{train}-{test}-{steps}.npz"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        data, _ = make_images(train, test, steps)
        # Another process may be about it as well: the file appears whole.
        partial = path.with_name(f"{os.getpid()}-{path.name}")
        np.savez(partial, **data)
        partial.replace(path)
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """What a process of its own does."""
    return train_invariance(request) if "settings" in request else measure(request)


if __name__ == "__main__":
    answer_requests(answer)
