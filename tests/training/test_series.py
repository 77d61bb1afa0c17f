"""Several runs of one experiment: each whole, none lost by another, and what they say."""

import csv
import json
import statistics
from pathlib import Path

import numpy as np
import pytest
from lens_images import experiment_on

from lensnet.config import Experiment
from lensnet.data import prepare
from lensnet.errors import ConfigurationError, LensnetError, RunError
from lensnet.interruption import Interrupted
from lensnet.prediction import load
from lensnet.run_folder import RunFolder
from lensnet.training import fit, fit_series, series


def experiment(image_folder, data_dir, **training):
    content = experiment_on(image_folder, data_dir, training={"epochs": 1, **training})
    if "folds" in training:
        del content["data"]["splits"]
    return Experiment.model_validate(content)


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


class Trainer:
    """Stands for `fit`: writes what a run folder ends with, and fails when it is told to."""

    def __init__(self):
        self.trained = []
        self.failing = {}

    def __call__(self, experiment, run_dir, *, resume):
        name = Path(run_dir).name
        self.trained.append(name)
        if name in self.failing:
            raise self.failing[name]
        run = RunFolder.create(run_dir)
        run.write_experiment(experiment.resolved(experiment.data.splits))
        value = experiment.training.fold or experiment.seed
        run.write_json("metrics.json", {"validation": {}, "test": {"auc": value, "tpr10": None}})
        run.predictions_file.write_text(
            f"id,label,predicted,score_ring\nring/{value},ring,ring,1\n"
        )
        (run.path / "report.html").write_text("")


@pytest.fixture
def trainer(monkeypatch):
    trainer = Trainer()
    monkeypatch.setattr(series, "fit", trainer)
    return trainer


def test_one_that_fails_is_tried_again_and_the_others_are_kept(
    trainer, image_folder, data_dir, tmp_path
):
    three = experiment(image_folder, data_dir, seeds=[2, 4, 9])
    trainer.failing = {"seed-4": LensnetError("The training loss became nan.")}
    with pytest.raises(LensnetError, match=r"1 of 3 runs failed: seed-4: The .* --resume") as e:
        fit_series(three, tmp_path / "runs")
    assert e.value.exit_code == 1
    summary = json.loads((tmp_path / "runs" / "summary.json").read_text())
    assert summary["failed"] == {"seed-4": "The training loss became nan."}
    assert summary["test"]["auc"] == pytest.approx({"mean": 5.5, "standard_error": 3.5, "runs": 2})
    assert summary["test"]["tpr10"] == {"mean": None, "standard_error": None, "runs": 0}

    trainer.failing.clear()
    trainer.trained.clear()
    with pytest.raises(RunError, match="exists already"):
        fit_series(three, tmp_path / "runs")
    more = experiment(image_folder, data_dir, seeds=[2, 4, 9, 1])
    fit_series(more, tmp_path / "runs", resume=True)
    assert trainer.trained == ["seed-4", "seed-1"]
    (found,) = (row for row in rows(tmp_path / "runs" / "summary.csv") if row["metric"] == "auc")
    assert float(found["mean"]) == 4 and found["runs"] == "4" and found["seed-9"] == "9"
    expected = statistics.stdev([2, 4, 9, 1]) / 2
    assert float(found["standard_error"]) == pytest.approx(expected)
    page = (tmp_path / "runs" / "summary.html").read_text()
    assert "seed-9/report.html" in page and "have failed" not in page

    other = experiment(image_folder, data_dir, seeds=[2, 4, 9, 1], batch_size=4)
    with pytest.raises(RunError, match="other values of training.batch_size"):
        fit_series(other, tmp_path / "runs", resume=True)
    trainer.trained.clear()
    fit_series(other, tmp_path / "runs", overwrite=True)
    assert len(trainer.trained) == 4


def test_one_that_is_stopped_stops_them_all(trainer, image_folder, data_dir, tmp_path):
    """And what goes on is all of them."""
    two = experiment(image_folder, data_dir, seeds=[0, 1])
    trainer.failing = {"seed-0": Interrupted("Stopped by SIGTERM", "lensnet fit")}
    with pytest.raises(Interrupted, match=r"seed-0: Stopped by SIGTERM; .*--run-dir \S*/runs`"):
        fit_series(two, tmp_path / "runs")
    assert trainer.trained == ["seed-0"]
    trainer.failing.clear()
    fit_series(two, tmp_path / "runs", resume=True)
    assert trainer.trained == ["seed-0", "seed-0", "seed-1"]


def test_what_all_would_be_refused_ends_them_and_leaves_nothing(
    trainer, image_folder, data_dir, tmp_path
):
    two = experiment(image_folder, data_dir, seeds=[0, 1])
    trainer.failing = {"seed-0": ConfigurationError("It does not divide.")}
    with pytest.raises(ConfigurationError, match="does not divide"):
        fit_series(two, tmp_path / "runs")
    assert trainer.trained == ["seed-0"] and not (tmp_path / "runs").exists()


def test_predictions_of_folds_are_pooled(trainer, image_folder, data_dir, tmp_path):
    fit_series(experiment(image_folder, data_dir, folds=3), tmp_path / "runs")
    pooled = rows(tmp_path / "runs" / "predictions.csv")
    assert [(row["id"], row["fold"]) for row in pooled] == [
        ("ring/0", "0"), ("ring/1", "1"), ("ring/2", "2"),
    ]  # fmt: skip
    assert list(pooled[0]) == ["id", "fold", "label", "predicted", "score_ring"]


def test_one_run_of_several_is_asked_for_by_another_name(image_folder, data_dir, tmp_path):
    with pytest.raises(ConfigurationError, match="training.seeds makes 2 runs"):
        fit(experiment(image_folder, data_dir, seeds=[0, 1]), tmp_path / "run")
    with pytest.raises(ConfigurationError, match="use lensnet.training.fit"):
        fit_series(experiment(image_folder, data_dir), tmp_path / "run")


def test_folds_share_their_records_and_cover_the_data_once(image_folder, data_dir):
    opened = [prepare(experiment(image_folder, data_dir, folds=4, fold=f)) for f in range(4)]
    assert len({data.records for data in opened}) == 1
    tested = [name for data in opened for name in data.examples("test").ids]
    validated = [name for data in opened for name in data.examples("validation").ids]
    assert len(set(tested)) == len(tested) == 60 and sorted(validated) == sorted(tested)
    for data in opened:
        parts = [set(data.examples(split).ids) for split in ("train", "validation", "test")]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 60
        assert all(14 <= count <= 16 for count in data.counts("train").values())
    images, labels = next(iter(opened[1].training_batches(8, epochs=1)))
    assert images.shape == (8, 32, 32, 1) and labels.shape == (8, 1)


@pytest.mark.slow
def test_a_seed_of_several_is_the_run_of_that_seed(image_folder, data_dir, tmp_path):
    """Bit for bit, whatever was trained before it in the same process."""
    fit_series(experiment(image_folder, data_dir, seeds=[5, 3]), tmp_path / "several")
    alone = experiment(image_folder, data_dir).model_copy(update={"seed": 3})
    run = fit(alone, tmp_path / "alone").path
    one, other = load(run), load(tmp_path / "several" / "seed-3")
    for mine, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    summary = json.loads((tmp_path / "several" / "summary.json").read_text())
    assert list(summary["runs"]) == ["seed-5", "seed-3"]


@pytest.mark.slow
def test_a_cross_validation(image_folder, data_dir, tmp_path):
    fit_series(experiment(image_folder, data_dir, folds=3), tmp_path / "folds")
    pooled = rows(tmp_path / "folds" / "predictions.csv")
    assert len({row["id"] for row in pooled}) == len(pooled) == 60
    one = json.loads((tmp_path / "folds" / "fold-1" / "metrics.json").read_text())
    summary = json.loads((tmp_path / "folds" / "summary.json").read_text())
    assert summary["runs"]["fold-1"]["test"] == one["test"]
    # A fold is a run like any other.
    run = RunFolder.open(tmp_path / "folds" / "fold-1")
    run.check()
    before = (run.path / "metrics.json").read_text()
    fit(run.read_experiment(), run.path, resume=True)
    assert json.loads((run.path / "metrics.json").read_text())["test"] == json.loads(before)["test"]
