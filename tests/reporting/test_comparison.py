"""Runs beside each other: what is tested, what is not, and that old runs are compared, too."""

import json
import re
import shutil

import numpy as np
import pytest
from run_folders import EVIL, write_run
from sklearn.metrics import roc_auc_score

from lensnet.errors import ConfigurationError, RunError
from lensnet.evaluation.paired_tests import accuracy_difference, auc_difference
from lensnet.reporting.comparison import compare_runs
from lensnet.reporting.comparison_page import write_comparison_page, write_invariance_page
from lensnet.reporting.predictions_file import read_predictions

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [write_run(folder / name, seed) for seed, name in enumerate(("one", "two", "three"))]


@pytest.fixture
def run(runs, tmp_path):
    """A run to be changed."""
    return shutil.copytree(runs[0], tmp_path / "changed")


def test_predictions_are_read_back(runs):
    found = read_predictions(runs[0] / "predictions.csv")
    metrics = json.loads((runs[0] / "metrics.json").read_text())["test"]
    assert found.classes == ("galaxy", EVIL)
    assert roc_auc_score(found.labels, found.outputs[:, 1]) == pytest.approx(metrics["roc_auc"])
    assert len(found.ids) == 60 and all(EVIL in name for name in found.ids)


def test_each_run_is_tested_against_the_first(runs):
    comparison = compare_runs(runs)
    assert [(test.run, test.metric) for test in comparison.tests] == [
        *(("two", "roc_auc"), ("three", "roc_auc")),
        *(("two", "accuracy"), ("three", "accuracy")),
    ]
    first, second = (read_predictions(run / "predictions.csv") for run in runs[:2])
    expected = auc_difference(first.labels, first.outputs[:, 1], second.outputs[:, 1])
    found = comparison.tests[0]
    assert (found.value, found.p_value) == (expected.value, expected.p_value)
    assert found.corrected >= found.p_value
    mcnemar = accuracy_difference(first.labels, first.outputs[:, 1], second.outputs[:, 1])
    assert comparison.tests[2].p_value == mcnemar.p_value


def test_tables_hold_what_the_runs_say(runs):
    comparison = compare_runs(runs)
    metrics = comparison.metric_table()
    assert metrics.heads == ["", "one", "two", "three"]
    [area] = [row for row in metrics.rows if row[0] == "ROC AUC ↑"]
    said = json.loads((runs[1] / "metrics.json").read_text())
    low, high = said["intervals"]["test"]["roc_auc"]
    assert area[2] == f"{said['test']['roc_auc']:.4f}\n{low:.4f} to {high:.4f}"
    assert comparison.cost_table().rows[1] == ["two", "12\u202f345", "12", "4", "400"]
    assert comparison.rotation_table().rows[0][:2] == ["one", "right angles"]


def test_other_test_images_are_not_tested(runs, tmp_path):
    fewer = write_run(tmp_path / "fewer", examples=40)
    comparison = compare_runs([runs[0], fewer])
    assert comparison.tests == []
    why = "its 40 test images are not the 60 of the first run (40 ids in common)"
    assert comparison.unpaired["fewer"].startswith(why)
    others = write_run(tmp_path / "others", classes=("galaxy", "quasar"))
    assert compare_runs([runs[0], others]).unpaired["others"] == "its classes are others"


def test_order_of_the_images_is_no_difference(run, runs):
    path = run / "predictions.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *reversed(rows)]))
    comparison = compare_runs([runs[0], run])
    assert not comparison.unpaired
    assert {test.value for test in comparison.tests} == {0.0}
    assert {test.p_value for test in comparison.tests} == {None}


def test_runs_of_an_earlier_version_are_compared(run, runs):
    """Neither intervals nor cost, and no predictions."""
    content = json.loads((run / "metrics.json").read_text())
    old = {key: content[key] for key in ("validation", "test")}
    (run / "metrics.json").write_text(json.dumps(old | {"timing": {"seconds": 3.0}}))
    (run / "predictions.csv").unlink()
    (run / "invariance.json").unlink()
    comparison = compare_runs([runs[0], run])
    assert "was not evaluated yet" in comparison.unpaired["changed"]
    assert comparison.cost_table().rows[1][2:] == ["–", "–", "–"]
    page = write_comparison_page(comparison, run / "page.html").read_text()
    assert "changed is not tested" in page


def test_regressions_by_their_errors(tmp_path):
    rng = np.random.default_rng(0)
    targets = rng.normal(size=50)
    for name, width in (("good", 0.1), ("bad", 0.5)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "experiment.yaml").write_text("{name: a, task: regression}")
        (folder / "metrics.json").write_text(json.dumps({"test": {"mae": width, "examples": 50}}))
        rows = [f"{i},{t},{t + rng.normal(0, width)}" for i, t in enumerate(targets)]
        (folder / "predictions.csv").write_text("\n".join(["id,target,prediction", *rows]))
    [test] = compare_runs([tmp_path / "good", tmp_path / "bad"]).tests
    assert test.metric == "mae" and test.value > 0.2 and test.p_value < 1e-4
    written = write_comparison_page(
        compare_runs([tmp_path / "good", tmp_path / "bad"]), tmp_path / "page.html"
    )
    assert "&lt; 0.0001" in written.read_text()


def test_what_cannot_be_compared_is_refused(run, runs, tmp_path):
    with pytest.raises(ConfigurationError, match="two runs or more"):
        compare_runs(runs[:1])
    with pytest.raises(ConfigurationError, match="named twice"):
        compare_runs([runs[0], runs[0]])
    with pytest.raises(RunError, match="does not exist"):
        compare_runs([runs[0], tmp_path / "nowhere"])
    (run / "experiment.yaml").write_text("{name: a, task: classification}")
    with pytest.raises(RunError, match="of the task binary, and .* of classification"):
        compare_runs([runs[0], run])
    (run / "metrics.json").unlink()
    with pytest.raises(RunError, match="has no metrics of a test split"):
        compare_runs([runs[0], run])


def test_pages_hold_names_as_text_and_load_nothing(runs, tmp_path):
    pages = [
        write_comparison_page(compare_runs(runs), tmp_path / "comparison.html"),
        write_invariance_page(runs, tmp_path / "invariance.html"),
    ]
    for page in pages:
        source = page.read_text()
        assert "<script" not in source and "\u202e" not in source
        assert not re.search(r"url\(|@import|https?://", source)
        assert all(src.startswith("data:image/png") for src in re.findall(r'src="([^"]+)', source))
    # Again, over what is lensnet's; never over anything else.
    write_comparison_page(compare_runs(runs), tmp_path / "comparison.html")
    (tmp_path / "notes.html").write_text("mine")
    with pytest.raises(RunError, match="left alone"):
        write_invariance_page(runs, tmp_path / "notes.html")
    with pytest.raises(ConfigurationError, match=r"ends with \.html"):
        write_invariance_page(runs, tmp_path / "notes.txt")
