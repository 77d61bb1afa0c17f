"""The report: one file that loads nothing, runs nothing, and is made of any run, however broken."""

import base64
import csv
import io
import json
import os
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest
from run_folders import write_run

from lensnet.errors import RunError
from lensnet.reporting import write_report
from lensnet.reporting.run_contents import read_run_contents

pytestmark = pytest.mark.filterwarnings("error")

EVIL = "<script>alert('x')</script>"
EXPERIMENT = """\
name: substructure-resnet18-c4
seed: 3
task: classification
data:
  dataset: deeplense_substructure/simulated
  image_size: 64
  splits: {train: 0.8, validation: 0.1, test: 0.1}
model: {backbone: resnet18, symmetry: c4, head: {units: [], dropout: 0.0}}
training:
  epochs: 30
  optimizer: {name: adamw, learning_rate: 0.001}
  early_stopping: {monitor: val_loss, patience: 5}
"""
METRICS = {
    "validation": {"accuracy": 0.91, "roc_auc": 0.98, "ece": None, "examples": 100},
    "test": {
        "accuracy": 0.925,
        "roc_auc": 0.98765,
        "roc_auc_ovo": 0.98,
        "ece": 0.031,
        "rotation_std": 3.2e-8,
        "rotation_flip_rate": 0.0,
        "examples": 12000,
    },
    "timing": {"seconds": 172.4, "train_images_per_second": 136.0},
}


def png(width=40, height=30):
    """A grey PNG, written by hand: https://www.w3.org/TR/png-3/."""

    def chunk(name, content):
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\x00" + b"\x7f" * width for _ in range(height))
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def saved_model():
    """A file laid out as Keras 3 lays it out: 12 + 4 weights, a seed and an optimizer."""
    import h5py

    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((3, 4), np.float32)
        file["layers/dense/vars/1"] = np.zeros(4, np.float32)
        file["layers/dropout/seed_generator/vars/0"] = np.zeros(2, np.uint32)
        file["optimizer/vars/0"] = np.zeros((3, 4), np.float32)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("model.weights.h5", weights.getvalue())
    return archive.getvalue()


def write_csv(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture
def run(tmp_path):
    """A finished run of three classes, one of them with an evil name."""
    path = tmp_path / "run"
    (path / "figures").mkdir(parents=True)
    (path / "experiment.yaml").write_text(EXPERIMENT)
    (path / "environment.json").write_text(
        json.dumps(
            {
                "started": "2026-11-02T16:05:00+00:00",
                "command": ["lensnet", "fit", "a.yaml"],
                "packages": {"keras": "3.15.1"},
                "devices": [{"name": "CPU:0", "type": "CPU"}],
            }
        )
    )
    (path / "metrics.json").write_text(json.dumps(METRICS))
    (path / "model.keras").write_bytes(saved_model())
    history = [["epoch", "loss", "val_loss"], [1, 0.9, 0.8], [2, 0.5, 0.4], [3, 0.3, 0.6]]
    write_csv(path / "history.csv", history)
    names = ["no", "sphere", EVIL]
    predictions = [[f"image{i}", names[i % 3], 0.2, 0.3, 0.5] for i in range(7)]
    write_csv(path / "predictions.csv", [["id", "label", *names], *predictions])
    write_csv(path / "quarantine.csv", [["file", "reason"], [f"{EVIL}.npy", "cut in half"]])
    for name in ("training_curves", "roc_curve", "something_else"):
        (path / "figures" / f"{name}.png").write_bytes(png())
    return path


class Page(HTMLParser):
    """Collects the tags, attributes and text of a page; any run of spaces counts as one."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]

    def handle_data(self, words):
        self.words.append(words)


def test_report_says_what_matters(run):
    path = write_report(run)
    assert path == run / "report.html"
    text = Page(path).text
    for words in (
        "substructure-resnet18-c4",
        "backbone resnet18 symmetry c4",
        "ROC AUC 0.9877",
        "Accuracy 92.5 %",
        "scores move by < 0.01 % when the image rotates; no image changes class",
        "Validation Test What it says",
        "3.2e-08",
        "Images 100 12 000",
        "Epochs 3 of 30 planned",
        "Best epoch 2 (val_loss 0.4)",
        "2 min 52 s",
        "Parameters 16 (batch",
        "1 bad file left out",
        "cut in half",
        "date 2 November 2026, 16:05 UTC",
        "command lensnet fit a.yaml",
        "packages · keras 3.15.1",
        "devices CPU:0, type CPU",
        "patience: 5",
        "sphere 2",
    ):
        assert words in text, words
    assert "Parts of this run are missing" not in text


def test_report_is_one_file_that_loads_nothing(run):
    page = Page(write_report(run))
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    for tag, name, value in page.attributes:
        if name in ("src", "href", "srcset", "action", "poster", "data"):
            assert value.startswith("data:image/png;base64,"), (tag, name)
        assert not name.startswith("on"), (tag, name)
    assert not re.search(r"url\(|@import|https?://", page.source)
    assert {path.name for path in run.iterdir() if path.name.startswith(".")} == set()


def test_figures_are_embedded_in_order_with_captions(run):
    page = Page(write_report(run))
    sources = [value for _, name, value in page.attributes if name == "src"]
    assert [base64.b64decode(source.split(",")[1]) for source in sources] == [png()] * 3
    names = [value for _, name, value in page.attributes if name == "alt"]
    assert names == ["ROC curve", "Training", "something else"]
    assert "outranks a non-member" in page.text


def test_figures_of_a_kind_share_a_caption(run):
    (run / "figures" / "rotation_profile_8.png").write_bytes(png())
    page = Page(write_report(run))
    assert "Rotation (8). Change of the score, or of the prediction, as the test" in page.text


def test_evil_names_are_shown_and_not_run(run):
    text = (run / "experiment.yaml").read_text().replace("substructure-resnet18-c4", f'"{EVIL}"')
    (run / "experiment.yaml").write_text(text)
    (run / "environment.json").write_text(json.dumps({EVIL: EVIL}))
    (run / "metrics.json").write_text(json.dumps({"test": {EVIL: 0.5}}))
    (run / "figures" / "<b onload=x>.png").write_bytes(png())
    page = Page(write_report(run))
    assert "script" not in page.tags
    assert EVIL not in page.source
    assert f"{EVIL} 2" in page.text  # the class, with its count
    assert f"{EVIL}.npy cut in half" in page.text


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


def test_counts_of_every_split_where_the_run_tells(run):
    counts = {"train": {"no": 800, "sphere": 799}, "test": {"no": 100}}
    (run / "data.json").write_text(json.dumps({"counts": counts}))
    text = Page(write_report(run)).text
    assert "train test no 800 100 sphere 799 0 all 1 599 100" in text


def test_regression(run):
    text = EXPERIMENT.replace("classification", "regression")
    (run / "experiment.yaml").write_text(text)
    (run / "metrics.json").write_text(
        json.dumps({"test": {"rmse": 0.114, "r2": 0.85, "mae": 0.09, "rotation_std": 0.012}})
    )
    write_csv(
        run / "predictions.csv", [["id", "label", "prediction"], [1, 11.5, 12], [2, 12.5, 12]]
    )
    text = Page(write_report(run)).text
    assert "RMSE 0.1140" in text
    assert "predictions move by 1.20 % of the target's spread when the image rotates" in text
    assert "Test targets 11.5 to 12.5, median 12" in text


def test_binary(run):
    (run / "experiment.yaml").write_text(EXPERIMENT.replace("classification", "binary"))
    test = {"roc_auc": 0.99, "tpr0": 0.507, "tpr10": None, "rotation_flip_rate": 0.02}
    (run / "metrics.json").write_text(json.dumps({"test": {**test, "rotation_std": 0.041}}))
    text = Page(write_report(run)).text
    assert "TPR0 50.7 % of the positive class found before the first false alarm" in text
    assert "TPR10 – it was not measured" in text
    assert "scores move by 4.10 % when the image rotates; 2.00 % of images change class" in text
    # The set's own classes are named, and nobody's lenses.
    (run / "data.json").write_text(json.dumps({"classes": ["galaxy", "quasar"], "counts": {}}))
    text = Page(write_report(run)).text
    assert 'TPR0 50.7 % of the class "quasar" found before the first false alarm' in text
    assert "lens " not in text and "lenses" not in text


def test_what_cannot_be_said_is_a_dash_with_the_reason(run):
    (run / "experiment.yaml").write_text(EXPERIMENT.replace("classification", "binary"))
    reason = f'it needs 10 images of "{EVIL}", and there are 6'
    content = {
        "test": {"roc_auc": 0.917, "tpr0": 0.5, "tpr10": None, "rotation_std": None},
        "undefined": {
            "validation": {"roc_auc": "there is no image of dog"},
            "test": {"tpr10": reason, "rotation_std": "images of 3 x 4 pixels cannot be rotated"},
        },
        "warnings": [f"The network calls each image {EVIL}."],
    }
    (run / "metrics.json").write_text(json.dumps(content))
    page = Page(write_report(run))
    assert f"TPR10 – {reason}" in page.text
    assert f"No value on the test split: {reason}." in page.text
    assert "No value on the validation split: there is no image of dog." in page.text
    assert "Rotation – images of 3 x 4 pixels cannot be rotated" in page.text
    assert f"Read the numbers with care. The network calls each image {EVIL}." in page.text
    assert EVIL not in page.source


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


def test_report_of_a_report_is_the_same(run):
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_run_folder_counts_weights_without_optimizer_and_seeds(run):
    assert read_run_contents(run).parameters == 16


def test_import_is_light():
    code = (
        "import lensnet.reporting, sys; lensnet.reporting.write_report; "
        "print([n for n in ('tensorflow', 'keras', 'matplotlib', 'sklearn') if n in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_what_a_later_evaluation_adds(tmp_path):
    run = write_run(tmp_path / "run", classes=("galaxy", "lens"))
    content = json.loads((run / "metrics.json").read_text())
    content["calibration"] = {"temperature": 1.5, "test_before": {"ece": 0.2}}
    (run / "metrics.json").write_text(json.dumps(content))
    text = Page(write_report(run)).text
    low, high = content["intervals"]["test"]["accuracy"]
    area, ends = content["test"]["roc_auc"], content["intervals"]["test"]["roc_auc"]
    for words in (
        "Validation Test 95 % interval What it says",
        f"{low:.4f} to {high:.4f}",
        f"ROC AUC {area:.4f} {ends[0]:.4f} to {ends[1]:.4f} (95 % interval); 0.5 is guessing",
        "The logits are divided by 1.5",
        "calibration error 0.2000 before",
        "What a search yields",
        'Where a share of 0.001 of all objects is the class "lens"',
        "Images by Spread 95 % interval Change class 95 % interval right angles",
        "1.00 % to 30.00 %",
        "Multiply-adds 0.006 billion an image",
        "Latency 3 ms an image",
    ):
        assert words in text, words


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


def test_marks_of_direction_are_written_out(run):
    names = ["\u202egalaxy", "lens\u200f", "two\nlines", "bell\x07"]
    counts = {"train": dict.fromkeys(names, 1)}
    (run / "data.json").write_text(json.dumps({"counts": counts, "classes": names}))
    text = Page(write_report(run)).text
    for shown in ("\\u202egalaxy", "lens\\u200f", "two lines", "bell\\u0007"):
        assert shown in text
    assert not set("\u202e\u200f\x07") & set(text)
