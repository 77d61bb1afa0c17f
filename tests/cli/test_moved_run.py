"""What a run folder still does where its images, its prepared records or both are gone."""

import csv
import json
import shutil

import numpy as np
import pytest
from lens_images import experiment_on, write_folder

import lensnet
from lensnet.cli import main
from lensnet.config import Experiment
from lensnet.evaluation.run_opening import open_run_data
from lensnet.run_folder import RunFolder
from lensnet.training import fit


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run, the folder of its images, and that of its records."""
    above = tmp_path_factory.mktemp("moved")
    images = write_folder(above / "images", 15, 16)
    sections = {"training": {"epochs": 1, "batch_size": 8}, "model": {"symmetry": "none"}}
    experiment = Experiment.model_validate(experiment_on(images, above / "records", **sections))
    return fit(experiment, above / "run").path, images, above / "records"


@pytest.fixture
def moved(trained, tmp_path, monkeypatch):
    """The run in another place, as on another machine: its images are gone, its records not."""
    run, images, records = trained
    shutil.copytree(run, tmp_path / "run")
    monkeypatch.setenv("LENSNET_DATA_DIR", str(tmp_path / "nothing"))
    aside = tmp_path / "images"
    images.rename(aside)
    yield tmp_path / "run", aside, records
    aside.rename(images)


@pytest.fixture
def alone(moved, tmp_path):
    """The run without its records, too."""
    run, images, records = moved
    records.rename(tmp_path / "records")
    yield run, images, tmp_path / "records"
    (tmp_path / "records").rename(records)


@pytest.fixture
def command(capsys):
    """Runs a command: (exit code, standard error)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as leave:
            main([str(argument) for argument in arguments])
            raise SystemExit(0)
        return leave.value.code or 0, capsys.readouterr().err

    return run


def test_a_run_alone_predicts_exports_and_reports(alone, command, tmp_path):
    run, images, _ = alone
    code, said = command("predict", run, images / "ring", "-o", tmp_path / "scores.csv")
    assert code == 0, said
    with (tmp_path / "scores.csv").open(newline="") as lines:
        assert len(list(csv.DictReader(lines))) == 15
    code, said = command("export", run)
    assert code == 0, said
    assert (run / "export" / "saved_model" / "saved_model.pb").is_file()
    (run / "report.html").unlink()
    code, said = command("report", run)
    assert code == 0, said
    assert (run / "report.html").is_file()
    assert lensnet.load(run).input_shape[1:] == (16, 16, 1)


def test_a_run_is_measured_by_its_records(moved, command):
    run, _, _ = moved
    before = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").unlink()
    code, said = command("evaluate", run)
    assert code == 0, said
    after = json.loads((run / "metrics.json").read_text())
    assert after["test"]["log_loss"] == pytest.approx(before["test"]["log_loss"], rel=1e-5)
    code, said = command("invariance", run, "--rotations", "4")
    assert code == 0, said


def test_records_are_found_where_the_environment_says(alone, monkeypatch):
    run, _, records = alone
    monkeypatch.setenv("LENSNET_DATA_DIR", str(records))
    assert records in open_run_data(RunFolder.open(run)).directory.parents


def test_a_run_keeps_its_images_though_the_folder_has_changed(trained, tmp_path, capsys):
    """Its records hold what it was trained on; the folder may have grown since."""
    run, images, _ = trained
    known = open_run_data(RunFolder.open(run)).directory
    shutil.copytree(run, tmp_path / "run")
    new = images / "ring" / "new.npy"
    np.save(new, np.eye(16, dtype="float32"))
    try:
        assert open_run_data(RunFolder.open(tmp_path / "run")).directory == known
    finally:
        new.unlink()
    assert "Preparing" not in capsys.readouterr().err


@pytest.mark.parametrize("named", [True, False], ids=["named", "of an earlier version"])
def test_without_either_the_message_says_what_is_needed(alone, command, named):
    run, _, _ = alone
    known = json.loads((run / "data.json").read_text())
    records = known.pop("records")
    if not named:
        (run / "data.json").write_text(json.dumps(known))
    code, said = command("evaluate", run)
    assert code == 3
    assert "does not exist" in said and "prepared records" in said
    assert (records in said) == named


def test_a_run_of_an_earlier_version_finds_its_records_by_its_images(trained, tmp_path, capsys):
    run, _, records = trained
    shutil.copytree(run, tmp_path / "run")
    known = json.loads((run / "data.json").read_text())
    del known["records"]
    (tmp_path / "run" / "data.json").write_text(json.dumps(known))
    assert records in open_run_data(RunFolder.open(tmp_path / "run")).directory.parents
    assert "Preparing" not in capsys.readouterr().err
