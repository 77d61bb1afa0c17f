"""A run that is measured again: calibrated, on other data, and under rotations and reflections."""

import json
import shutil

import numpy as np
import pytest
import yaml
from lens_images import experiment_on, write_folder

from lensnet.config.documents import dump
from lensnet.errors import ConfigurationError, DataError, RunError
from lensnet.evaluation.evaluating import evaluate_run
from lensnet.evaluation.other_data import evaluate_elsewhere
from lensnet.evaluation.other_experiment import read_other_data
from lensnet.evaluation.run_invariance import measure_invariance
from lensnet.overwriting import RUN
from lensnet.prediction import Predictor
from lensnet.reporting import write_report
from lensnet.reporting.predictions_file import read_predictions
from lensnet.run_folder import RunFolder


@pytest.fixture
def run(tiny_run, tmp_path):
    return RunFolder(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture
def other(data_dir, tmp_path):
    """Writes a file that names other images of the same classes."""

    def write(name="elsewhere", **folder):
        images = write_folder(tmp_path / f"images of {name}", per_class=12, **folder)
        content = experiment_on(images, data_dir, name=name)
        path = tmp_path / f"{name}.yaml"
        path.write_text(dump({key: content[key] for key in ("name", "data")}))
        return path

    return write


def test_a_calibrated_run_predicts_what_it_was_measured_by(run, image_folder):
    settings = yaml.safe_load(run.experiment_file.read_text())
    settings["evaluation"] |= {"calibration": "temperature", "prevalence": 0.01, "bootstrap": 50}
    run.experiment_file.write_text(yaml.safe_dump(settings))
    metrics = evaluate_run(run)
    if "calibration" not in metrics:
        # Of twelve images a network may have each right: then it is said, and measured as it is.
        assert any("no temperature can be fitted" in words for words in metrics["warnings"])
    else:
        before = metrics["calibration"]["test_before"]["log_loss"]
        assert before != metrics["test"]["log_loss"]
        assert metrics["calibration"]["temperature"] > 0
    assert metrics["search"]["prevalence"] == 0.01
    assert (run.figures_dir / "purity_completeness.png").is_file()
    written = read_predictions(run.predictions_file)
    predictor = Predictor.open(run.path)
    found = predictor.scores([str(image_folder / f"{name}.npy") for name in written.ids])
    np.testing.assert_allclose(found, written.outputs, atol=1e-5)
    assert RUN.foreign_files(run.path) == []
    assert "What a search yields" in write_report(run.path).read_text()


def test_on_other_data(run, other):
    before = {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
    experiment = read_other_data(run, other())
    results = evaluate_elsewhere(run, experiment)
    assert results.path == run.path / "evaluations" / "elsewhere"
    metrics = json.loads(results.metrics_file.read_text())
    assert metrics["test"]["examples"] == len(read_predictions(results.predictions_file).ids) == 5
    assert "validation" not in metrics and metrics["warnings"] is not None
    page = write_report(results.path).read_text()
    assert "measured on other data" in page and "are missing" not in page
    # The run's own results stay, and none of it is in the way of a new fit.
    assert {p.name: p.read_bytes() for p in run.path.iterdir() if p.is_file()} == before
    assert RUN.foreign_files(run.path) == []


def test_images_that_were_trained_on_are_told(run, tmp_path):
    content = yaml.safe_load(run.experiment_file.read_text())
    content["data"]["seed"] = 5  # other splits of the same images
    path = tmp_path / "again.yaml"
    path.write_text(dump({"data": content["data"]}))
    results = evaluate_elsewhere(run, read_other_data(run, path))
    assert results.path.name == "again"
    [words] = [w for w in json.loads(results.metrics_file.read_text())["warnings"] if "among" in w]
    assert "of the 12 test images" in words and "flatter" in words


def test_other_data_that_do_not_fit_are_refused(run, other, tmp_path):
    path = other("small", size=16)
    with pytest.raises(DataError, match=r"\(16, 16, 1\).*\(32, 32, 1\)"):
        evaluate_elsewhere(run, read_other_data(run, path))
    assert not (run.path / "evaluations").exists()
    path = other("named")
    images = tmp_path / "images of named"
    (images / "ring").rename(images / "arc")
    with pytest.raises(DataError, match="classes arc, blob, and the run .* knows blob, ring"):
        read_other_data(run, path)
    path.write_text("{name: empty}")
    with pytest.raises(ConfigurationError, match="no section `data`"):
        read_other_data(run, path)
    path.write_text("{data: {dataset: image_foldr}}")
    with pytest.raises(ConfigurationError, match="image_foldr"):
        read_other_data(run, path)


def test_results_of_one_name_are_of_the_same_data(run, other, tmp_path):
    experiment = read_other_data(run, other())
    folder = RunFolder(run.path / "evaluations" / "elsewhere")
    folder.path.mkdir(parents=True)
    folder.write_experiment(run.read_experiment())
    with pytest.raises(RunError, match="holds results on other data"):
        evaluate_elsewhere(run, experiment)


def test_rotations_and_reflections(run):
    found = measure_invariance(run, 6)
    assert list(found.sets) == ["right angles", "6 angles", "mirrors"]
    content = found.to_json()
    assert json.loads(json.dumps(content)) == json.loads(json.dumps(content, allow_nan=False))
    rotated, mirrored = found.sets["right angles"], found.sets["mirrors"]
    # The network is symmetric under rotations by 90 degrees, and under nothing else.
    assert rotated.rotation_std < 1e-6 < mirrored.rotation_std
    assert len(mirrored.angles) == 5
    accuracy = content["sets"]["6 angles"]["accuracy"]
    assert len(accuracy) == 6
    assert set(found.figures) == {f"rotation_{kind}_6" for kind in ("profile", "accuracy", "worst")}
    assert "mirrors" not in measure_invariance(run, 4, mirrors=False).sets
