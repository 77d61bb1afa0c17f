"""`lensnet learn` from the run to the report, on small images."""

import json

import numpy as np
import pytest
from lens_images import experiment_on, ring_or_blob

from lensnet import config
from lensnet.cli.main import cli
from lensnet.config import Experiment
from lensnet.csv_tables import read_dicts
from lensnet.run_folder import RunFolder

pytestmark = pytest.mark.slow


def test_a_round_from_grades_to_the_report(tmp_path, image_folder, data_dir, survey, write_grades):
    from click.testing import CliRunner

    from lensnet.prediction import score_files
    from lensnet.training import fit

    run = fit(Experiment.model_validate(experiment_on(image_folder, data_dir)), tmp_path / "tiny")
    before = (run.path / "predictions.csv").read_text()
    # Galaxies that the run has never seen: two blobs beside each other.
    random = np.random.default_rng(2)
    for number in range(80, 120):
        pair = ring_or_blob(False, random) + np.roll(ring_or_blob(False, random), 9, axis=1)
        np.save(survey / f"J{number:03d}.npy", pair)
    (survey / "scores.csv").unlink()
    scores = tmp_path / "scores.csv"
    score_files(run.path, [survey], scores)
    grades = write_grades(range(0, 80), **{f"J{n:03d}": "X" for n in range(80, 120)})
    words = ["learn", str(run.path), str(grades), "--scores", str(scores)]
    options = ["--set", "training.epochs=2", "--held-out", "0.3"]
    dry = CliRunner().invoke(cli, [*words, *options, "--dry-run"], catch_exceptions=False)
    assert "held out:" in dry.output and "Nothing is written" in dry.output
    assert not (tmp_path / "tiny-2.candidates").exists()
    done = CliRunner().invoke(cli, [*words, *options], catch_exceptions=False)
    assert done.exit_code == 0 and "What the grades have brought" in done.output
    after = RunFolder.open(tmp_path / "tiny-2")
    assert (run.path / "predictions.csv").read_text() == before, "the old run is left alone"
    # The old test split is the new one's, image by image.
    old, new = ([row["id"] for row in read_dicts(r.predictions_file)] for r in (run, after))
    assert old == new
    content = json.loads((after.path / "learning.json").read_text())
    assert {gain["images"] for gain in content["gain"]} == {
        "held-out grades",
        "test split of before",
    }
    held_out = next(g for g in content["gain"] if g["metric"] == "log_loss")
    assert held_out["examples"] == sum(content["candidates"]["held_out"].values()) > 10
    assert held_out["after"] < held_out["before"], "120 graded images of the survey itself"
    report = (after.path / "report.html").read_text()
    assert "What the grades have brought" in report and "held-out grades" in report
    assert config.load(after.experiment_file, check_source=False).data.dataset == "graded"
    # A run of the round scores files as the one before it.
    assert score_files(after.path, [survey], tmp_path / "again.csv") == 120
    again = CliRunner().invoke(cli, [*words, *options])
    assert "exists already" in str(again.exception)
