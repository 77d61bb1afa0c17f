"""Exports in processes that have no lensnet, as users load them."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lensnet.export import export_run
from lensnet.export.formats import FORMATS

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]

# Prints the scores of each export by its own runtime.
ELSEWHERE = """
import json, os, sys
sys.modules["lensnet"] = None
import numpy as np
images = np.load("images.npy")
scores = {}
if os.path.exists("saved_model"):
    import tensorflow as tf
    model = tf.saved_model.load("saved_model")
    scores["saved_model"] = model.signatures["serving_default"](
        images=tf.constant(images))["probabilities"].numpy()
if os.path.exists("keras"):
    import keras
    scores["keras"] = keras.models.load_model("keras/model.keras").predict(images, verbose=0)
for name in ("litert", "litert_float16", "litert_int8"):
    if os.path.exists(name):
        from ai_edge_litert.interpreter import Interpreter
        model = Interpreter(name + "/model.tflite")
        run = model.get_signature_runner("serving_default")
        scores[name] = run(images=images)["probabilities"]
if os.path.exists("onnx"):
    import onnxruntime
    session = onnxruntime.InferenceSession("onnx/model.onnx")
    scores["onnx"] = session.run(["probabilities"], {"images": images})[0]
    classes = session.get_modelmeta().custom_metadata_map["classes"]
    assert json.loads(classes) == ["blob", "ring"]
print(json.dumps({name: values.tolist() for name, values in scores.items()}))
"""


def python(*arguments, cwd):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_format_gives_the_runs_predictions(tiny_run, image_folder, tmp_path):
    for name, format in FORMATS.items():
        if all(importlib.util.find_spec(package) for package in format.needs):
            export_run(tiny_run, name, tmp_path / name)
            for quantize in ("float16", "int8") if format.quantize else ():
                export_run(tiny_run, name, tmp_path / f"{name}_{quantize}", quantize=quantize)
    with (tiny_run / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    images = np.stack([np.load(image_folder / f"{row['id']}.npy") for row in rows])
    np.save(tmp_path / "images.npy", images[..., None])
    expected = np.array([[float(row["score_ring"])] for row in rows])
    answer = json.loads(python("-c", ELSEWHERE, cwd=tmp_path))
    assert {"saved_model", "keras"} <= answer.keys()
    for name, scores in answer.items():
        atol = 1e-2 if "float16" in name else 0.1 if "int8" in name else 1e-5
        np.testing.assert_allclose(scores, expected, atol=atol, err_msg=name)


def test_the_client_of_the_serving_example(tiny_run, image_folder, tmp_path):
    export_run(tiny_run, "saved_model", tmp_path / "models" / "rings" / "1")
    with (tiny_run / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    images = np.stack([np.load(image_folder / f"{row['id']}.npy") for row in rows])
    np.save(tmp_path / "images.npy", images[..., None])
    client = ROOT / "examples" / "serving" / "client.py"
    said = python(client, "models/rings", "images.npy", cwd=tmp_path).splitlines()
    assert [line.split()[1] for line in said] == [row["predicted"] for row in rows]
    scores = [float(line.split()[2]) for line in said]
    expected = [float(row[f"score_{row['predicted']}"]) for row in rows]
    np.testing.assert_allclose(scores, expected, atol=1e-5)
