"""What the terminal shows of a run's numbers."""

import json
import re

import pytest

from lensnet.cli.results import print_results
from lensnet.config import Experiment
from lensnet.run_folder import RunFolder


@pytest.fixture
def shown(tmp_path, capsys):
    """What is printed of a run with these metrics of the test split."""

    def show(task, dataset, test, undefined):
        run = RunFolder(tmp_path)
        content = {"name": "shown", "task": task, "data": {"dataset": dataset}}
        run.write_experiment(
            Experiment.model_validate({**content, "model": {"backbone": "resnet18"}})
        )
        metrics = {"validation": {}, "test": test, "undefined": {"test": undefined}}
        run.metrics_file.write_text(json.dumps(metrics))
        print_results(run)
        return capsys.readouterr().out

    return show


def test_a_regression_has_predictions_and_no_scores(shown):
    out = shown("regression", "halo_mass/simulated", {"rmse": 0.1, "rotation_std": 2e-8}, {})
    assert "Predictions move by < 0.01 % of the target's spread when the image rotates." in out
    assert "core" not in out


def test_a_dash_has_its_reason(shown):
    undefined = {"tpr10": 'it needs 10 images of "nonlens", and there are 6'}
    test = {"tpr10": None, "rotation_std": 0.0123}
    out = shown("binary", "lens_finding/simulated", test, undefined)
    assert re.search("tpr10 +-\n", out)
    assert 'No tpr10 on the test split: it needs 10 images of "nonlens", and there are 6.' in out
    assert "Scores move by 1.23 % when the image rotates." in out
