"""Each task is one value, whose names all mean something; a fourth one is one file."""

import csv
import json
import typing

import fourth_task
import pytest
from lens_images import experiment_on

from lensnet import config, registry
from lensnet.config import Experiment
from lensnet.config.augmentation import Augmentation
from lensnet.config.sections import Training

TASKS = ["classification", "binary", "regression"]


def test_the_tasks_and_the_schema_of_an_experiment():
    assert registry.tasks.names() == TASKS
    assert config.json_schema()["properties"]["task"]["enum"] == TASKS


@pytest.mark.parametrize("name", TASKS)
def test_what_a_task_names_exists(name):
    task = registry.tasks.get(name)
    named = (task.training_metrics, task.columns, task.metrics, task.figures, task.warnings)
    for path in named:
        assert callable(registry.load_object(path)), path
    union = typing.get_args(Training.model_fields["loss"].annotation)
    losses = {section.model_fields["name"].default for section in union}
    assert set(task.losses) <= losses
    assert set(task.by_loss) <= set(task.losses)
    for other in task.by_loss.values():
        for path in (other.training_metrics, other.columns, other.metrics, other.figures):
            assert callable(registry.load_object(path)), path
    assert set(task.refused_augmentations) <= set(Augmentation.model_fields)


@pytest.mark.parametrize("name", TASKS)
def test_the_monitors_are_what_training_measures(name):
    task = registry.tasks.get(name)
    measured = [metric.name for metric in registry.load_object(task.training_metrics)(2)]
    assert list(task.monitors) == [f"val_{column}" for column in ("loss", *measured)]


@pytest.fixture
def fourth_task_registered():
    registry.tasks.register(fourth_task.TASK.name, fourth_task.TASK)
    yield
    registry.tasks.remove(fourth_task.TASK.name)


@pytest.mark.usefixtures("fourth_task_registered")
def test_a_fourth_task_is_one_file(image_folder, data_dir, tmp_path):
    """Trained, measured, written down and reported by what its value names."""
    from lensnet.prediction import score_files
    from lensnet.training import fit

    content = experiment_on(image_folder, data_dir)
    content["task"] = "ranking"
    content["training"] = {
        **content["training"],
        "epochs": 1,
        "early_stopping": {"monitor": "val_precision"},
    }
    run = fit(Experiment.model_validate(content), tmp_path / "run").path
    metrics = json.loads((run / "metrics.json").read_text())
    assert 0 <= metrics["test"]["share_found"] <= 1
    with (run / "history.csv").open(newline="") as stream:
        assert "val_precision" in next(csv.reader(stream))
    with (run / "predictions.csv").open(newline="") as stream:
        assert next(csv.reader(stream)) == ["id", "known_as", "rank"]
    assert "ranks move by" in (run / "report.html").read_text()
    score_files(run, [image_folder], tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(newline="") as stream:
        assert next(csv.reader(stream)) == ["id", "file", "rank", "filled_pixels", "status"]
