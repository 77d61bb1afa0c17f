"""A finished run, its files written by hand, and what its report says."""

import csv
import io
import json
import struct
import zipfile
import zlib
from html.parser import HTMLParser

import numpy as np

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


def write_finished_run(path):
    """A finished run of three classes, one of them with an evil name."""
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
