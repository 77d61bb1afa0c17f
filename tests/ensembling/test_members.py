"""Which runs can be one ensemble."""

import json
import re
import shutil

import pytest
import yaml

from lensnet.config import Experiment
from lensnet.config.ensemble import EnsembleOptions
from lensnet.ensembling.members import check_experiments_alike, check_options, open_members
from lensnet.errors import ConfigurationError, LensnetError


@pytest.fixture
def another(tiny_run, tmp_path):
    """A copy of the run whose experiment or data say something else."""

    def another(data=None, **sections):
        path = tmp_path / "another"
        shutil.copytree(tiny_run, path)
        experiment = yaml.safe_load((path / "experiment.yaml").read_text())
        for name, values in sections.items():
            experiment[name] = (
                {**experiment[name], **values} if isinstance(values, dict) else values
            )
        (path / "experiment.yaml").write_text(yaml.safe_dump(experiment))
        if data:
            known = json.loads((path / "data.json").read_text())
            (path / "data.json").write_text(json.dumps({**known, **data}))
        return path

    return another


def _words(*paths, **options):
    with pytest.raises(LensnetError) as raised:
        open_members(paths, EnsembleOptions(**options))
    words = str(raised.value)
    assert len(words.splitlines()) == 1
    return words


OTHER_RECORDS = "image_folder/0123456789abcdef/1.0.0"


def test_runs_that_differ_in_their_network_alone_are_one(tiny_run, another):
    other = another(seed=5, training={"epochs": 7}, model={"symmetry": "none"})
    first, second = open_members([tiny_run, other], EnsembleOptions(weights="fitted"))
    assert (first.times, second.times) == (1, 1)


def test_a_run_that_is_named_twice_counts_twice(tiny_run, caplog):
    (member,) = open_members([tiny_run, str(tiny_run) + "/."], EnsembleOptions())
    assert member.times == 2


def test_another_task_is_refused(tiny_run, another):
    other = another(task="classification", training={"loss": {"name": "categorical_crossentropy"}})
    assert "tasks are binary and classification" in _words(tiny_run, other)


def test_other_classes_are_refused(tiny_run, another):
    assert "their classes are" in _words(tiny_run, another(data={"classes": ["blob", "arc"]}))


def test_other_images_are_refused(tiny_run, another):
    """One may have been trained on what the other is tested on."""
    other = another(data={"records": OTHER_RECORDS})
    words = _words(tiny_run, other)
    assert "tested on" in words and "files have changed" in words


def test_other_splits_are_refused_by_name(tiny_run, another):
    other = another(data={"records": OTHER_RECORDS})
    path = other / "experiment.yaml"
    experiment = yaml.safe_load(path.read_text())
    experiment["data"]["seed"] = 9
    path.write_text(yaml.safe_dump(experiment))
    assert "data.seed is 0 and 9" in _words(tiny_run, other)


def test_another_validation_split_is_for_equal_weights_alone(tiny_run, another):
    slices = {"train": "train[:80%]", "validation": "train[80%:]", "test": "test"}
    one = another()
    path = one / "experiment.yaml"
    experiment = yaml.safe_load(path.read_text())
    experiment["data"]["splits"] = slices
    path.write_text(yaml.safe_dump(experiment))
    two = one.parent / "two"
    shutil.copytree(one, two)
    experiment["data"]["splits"] = {**slices, "train": "train[20%:]", "validation": "train[:20%]"}
    (two / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    assert len(open_members([one, two], EnsembleOptions())) == 2
    assert "no member was trained on" in _words(one, two, weights="fitted")
    assert "no member was trained on" in _words(one, two, select="roc_auc")
    experiment["data"]["splits"] = {**slices, "test": "validation"}
    (two / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    assert "data.splits.test is test and validation" in _words(one, two)


def test_other_test_images_are_refused_whatever_made_them_so(tiny_run, another):
    """As those of the folds of one cross-validation."""
    other = another()
    header, first, *rest = (other / "predictions.csv").read_text().splitlines(keepends=True)
    (other / "predictions.csv").write_text("".join([header, first.replace("/", "/x"), *rest]))
    words = _words(tiny_run, other)
    assert "tested on other images" in words and "2 in all" in words
    (other / "predictions.csv").unlink()
    assert "has not been measured yet" in _words(tiny_run, other)


def test_another_preprocessing_is_refused(tiny_run, another):
    known = json.loads((tiny_run / "data.json").read_text())
    other = another(
        data={"preprocessing": {**known["preprocessing"], "normalization": "per_image_standard"}}
    )
    assert "prepares an image once" in _words(tiny_run, other)


def test_a_run_without_a_model_is_refused(tiny_run, another):
    other = another()
    (other / "model.keras").unlink()
    assert "has no model.keras yet" in _words(tiny_run, other)


def _experiment(**sections):
    content = {
        "name": "masses",
        "task": "regression",
        "data": {"dataset": "halo_mass/simulated", "options": {"examples": 40}},
        "model": {"backbone": "resnet18"},
    }
    for name, values in sections.items():
        content[name] = {**content.get(name, {}), **values}
    return Experiment.model_validate(content)


def test_a_regression_has_no_logits():
    with pytest.raises(ConfigurationError, match="combine: logits"):
        check_options(_experiment(), EnsembleOptions(combine="logits"))
    check_options(_experiment(), EnsembleOptions())


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"data": {"options": {"examples": 50}}}, "data.options.examples is 40 and 50"),
        ({"data": {"seed": 1}}, "data.seed is 0 and 1"),
        ({"data": {"image_size": 64}}, "data.image_size is None and 64"),
        ({"training": {"loss": {"name": "gaussian_nll"}}}, "mse and gaussian_nll"),
    ],
)
def test_experiments_that_cannot_be_one_are_refused_before_any_is_fitted(sections, words):
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        check_experiments_alike(
            [("one.yaml", _experiment()), ("two.yaml", _experiment(**sections))]
        )
    check_experiments_alike(
        [("one.yaml", _experiment()), ("two.yaml", _experiment(training={"epochs": 3}))]
    )
