"""The report: one file that loads nothing, runs nothing, and says what matters."""

import base64
import json
import re
import subprocess
import sys

import pytest
from report_runs import EVIL, EXPERIMENT, Page, png, write_csv
from run_folders import write_run

from lensnet.reporting import write_report
from lensnet.reporting.run_contents import read_run_contents

pytestmark = pytest.mark.filterwarnings("error")


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


def test_marks_of_direction_are_written_out(run):
    names = ["\u202egalaxy", "lens\u200f", "two\nlines", "bell\x07"]
    counts = {"train": dict.fromkeys(names, 1)}
    (run / "data.json").write_text(json.dumps({"counts": counts, "classes": names}))
    text = Page(write_report(run)).text
    for shown in ("\\u202egalaxy", "lens\\u200f", "two lines", "bell\\u0007"):
        assert shown in text
    assert not set("\u202e\u200f\x07") & set(text)


def test_what_a_round_of_learning_has_gained_is_shown(tmp_path):
    run = write_run(tmp_path / "run")
    gain = {"images": f"held-out {EVIL}", "examples": 40, "metric": "roc_auc", "test": "DeLong"}
    gain |= {"before": 0.7, "after": 0.9, "low": 0.1, "high": 0.3, "p_value": 0.001}
    content = {
        "before": f"runs/{EVIL}",
        "candidates": {"held_out": {"lens": 9, EVIL: 31}, "train": {"lens": "many"}},
        "weights": "They count as 34 of 80.",
        "gain": [gain, {**gain, "after": None}, {**gain, "metric": 3}, "more"],
        "remarks": [f"{EVIL} is left out."],
    }
    (run / "learning.json").write_text(json.dumps(content))
    page = Page(write_report(run))
    for words in (
        "What the grades have brought",
        "+0.2000 (+0.1000 to +0.3000)",
        "held out: 9 lens",
    ):
        assert words in page.text, words
    assert "They count as 34 of 80." in page.text and page.text.count("DeLong") == 1
    assert "<img src=x" not in (run / "report.html").read_text()
    (run / "learning.json").write_text("[]")
    assert "learning.json holds no mapping" in Page(write_report(run)).text
