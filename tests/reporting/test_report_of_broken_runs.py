"""A report is made of any run, however broken."""

import json
import os

import pytest
from report_runs import EXPERIMENT, Page, png

from lensnet.errors import RunError
from lensnet.reporting import write_report

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize(
    "part",
    [
        "environment.json",
        "history.csv",
        "metrics.json",
        "predictions.csv",
        "model.keras",
    ],
)
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "binary", "folder"])
def test_interrupted_runs_are_reported(run, part, damage):
    path = run / part
    content = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        damaged = {"empty": b"", "cut": content[: len(content) // 2], "binary": b"\x00\xff" * 99}
        path.write_bytes(damaged[damage])
    text = Page(write_report(run)).text
    assert "substructure-resnet18-c4" in text
    if damage in ("missing", "folder"):
        assert f"{part} is missing" in text
    elif part.endswith((".json", ".keras")):
        assert f"{part} cannot be read" in text


def test_run_that_has_only_begun(tmp_path):
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    text = Page(write_report(tmp_path)).text
    assert "Nothing was measured yet" in text
    assert "figures are missing" in text
    assert "steadiness under rotation was not measured" in text


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("", "of-a-run"),
        ("[1, 2]", "of-a-run"),
        ("name: [", "of-a-run"),
        ("name: 3\ntask: null\ndata: 5\nmodel: [a]\ntraining: {epochs: many}", "3"),
    ],
)
def test_strange_experiment_files(tmp_path, text, title):
    path = tmp_path / "of-a-run"
    path.mkdir()
    (path / "experiment.yaml").write_text(text)
    assert f"<h1>{title}</h1>" in Page(write_report(path)).source


def test_strange_values_are_dashes_or_text(run):
    (run / "metrics.json").write_text(
        '{"test": {"accuracy": NaN, "f1": "high", "ece": true}, '
        '"undefined": [1], "warnings": {"a": 1}}'
    )
    (run / "figures" / "roc_curve.png").write_bytes(b"not a picture")
    (run / "figures" / "training_curves.png").write_bytes(png()[:12])
    text = Page(write_report(run)).text
    assert "figures/roc_curve.png is not a PNG image" in text
    assert "figures/training_curves.png cannot be read" in text
    assert "nan" not in text.lower().split()


def test_folders_of_no_run(tmp_path):
    with pytest.raises(RunError, match="does not exist"):
        write_report(tmp_path / "nowhere")
    with pytest.raises(RunError, match="holds no experiment.yaml"):
        write_report(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file"):
        write_report(tmp_path / "file")


def test_report_that_cannot_be_written_leaves_the_old_one(run, monkeypatch):
    (run / "report.html").write_text("old")
    before = sorted(path.name for path in run.iterdir())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_report(run)
    assert (run / "report.html").read_text() == "old"
    assert sorted(path.name for path in run.iterdir()) == before


@pytest.mark.parametrize(
    "content",
    [
        {"search": 5, "calibration": [1], "intervals": {"test": {"accuracy": [1]}}, "model": "a"},
        {
            "search": {"top": [{"top": 1}, 3], "at_prevalence": [{"purity": "x"}]},
            "calibration": {"temperature": None},
            "intervals": {"test": {"accuracy": ["a", None]}},
        },
    ],
)
def test_strange_parts_of_metrics_are_left_out(run, content):
    (run / "metrics.json").write_text(json.dumps({"test": {"accuracy": 0.9}, **content}))
    (run / "invariance.json").write_text(json.dumps({"sets": {"a": {"rotation_std": 1}, "b": 3}}))
    text = Page(write_report(run)).text
    assert "Accuracy 90.0 %" in text
    assert "search yields" not in text and "logits" not in text and "reflections" not in text
