"""A run that predicts a quantity, alone or with its sigma."""

import csv
import json

import numpy as np
import pytest

from lensnet.config import Experiment
from lensnet.export import export_run
from lensnet.prediction import Predictor, score_files
from lensnet.training import fit


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(
    "has_sigma", [pytest.param(False, id="alone", marks=pytest.mark.slow), True]
)
def test_a_regression_gives_targets_in_their_own_unit(data_dir, tmp_path, has_sigma):
    """With sigma, of logarithms of the target (here itself a logarithm, which is above 0, too)."""
    mass = Experiment.model_validate(
        {
            "name": "mass",
            "task": "regression",
            "data": {
                "dataset": "halo_mass/simulated",
                "data_dir": str(data_dir),
                "options": {"image_size": 32, "examples": 60},
                "target_transform": "log10" if has_sigma else "standardised",
            },
            "model": {
                "backbone": "tiny",
                "symmetry": "c4",
                "width": 0.125,
                "head": {"units": [8], "normalization": "batch", "dropout": 0.3},
            },
            "training": {
                "epochs": 2,
                "batch_size": 16,
                "loss": {"name": "gaussian_nll" if has_sigma else "mse"},
            },
        }
    )
    run = fit(mass, tmp_path / "run").path
    metrics = json.loads((run / "metrics.json").read_text())["test"]
    expected = {"mse", "mae", "rmse", "r2", "rotation_std", "examples"}
    assert set(metrics) == expected | ({"nll", "coverage_68"} if has_sigma else set())
    assert metrics["rotation_std"] <= 1e-5
    predictions = rows(run / "predictions.csv")
    for row in predictions:
        assert 11.5 <= float(row["target"]) <= 12.5
        assert 10.5 <= float(row["prediction"]) <= 13.5, "a log10 mass, not a standardised one"
    errors = [float(row["prediction"]) - float(row["target"]) for row in predictions]
    assert metrics["mae"] == pytest.approx(np.mean(np.abs(errors)), rel=1e-4)
    # In the target's unit during the training, too.
    history = rows(run / "history.csv")
    best = min(history, key=lambda row: float(row["val_loss"]))
    validation = json.loads((run / "metrics.json").read_text())["validation"]
    assert float(best["val_mae"]) == pytest.approx(validation["mae"], rel=1e-3)
    assert ("sigma" in predictions[0]) is has_sigma
    assert (run / "figures" / "pull_histogram.png").is_file() is has_sigma
    if has_sigma:
        within = [abs(e) <= float(row["sigma"]) for e, row in zip(errors, predictions, strict=True)]
        assert metrics["coverage_68"] == pytest.approx(np.mean(within))
        check_sigma_everywhere(run, tmp_path)


def check_sigma_everywhere(run, folder):
    """Scores of files, and what an export answers, are prediction and sigma of the model."""
    import tensorflow as tf

    predictor = Predictor.open(run)
    rng = np.random.default_rng(0)
    images = rng.random((2, *predictor.native_shape), "float32")
    for index, image in enumerate(images):
        np.save(folder / f"{index}.npy", image[..., 0])
    score_files(run, [folder / "0.npy", folder / "1.npy"], folder / "scores.csv")
    exported = tf.saved_model.load(str(export_run(run, "saved_model", folder / "exported")))
    answers = exported.signatures["serving_default"](images=tf.constant(images))
    expected = predictor(images)
    assert (expected[:, 1] > 0).all()
    for at, (column, name) in enumerate([("prediction", "predictions"), ("sigma", "sigma")]):
        scores = [float(row[column]) for row in rows(folder / "scores.csv")]
        assert scores == pytest.approx(expected[:, at], rel=1e-5)
        assert answers[name].numpy()[:, 0] == pytest.approx(expected[:, at], rel=1e-5)
