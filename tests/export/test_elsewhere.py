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

CLIENT = Path(__file__).parents[2] / "examples" / "serving" / "client.py"

# Prints what the client of the serving example says, for which TensorFlow is enough, and the scores
# of each other export by its own runtime.
ELSEWHERE = """
import contextlib, io, json, os, runpy, sys
sys.modules["lensnet"] = sys.modules["keras"] = None
import numpy as np
images = np.load("images.npy")
_, client = sys.argv
sys.argv = [client, "models/rings", "images.npy"]
with contextlib.redirect_stdout(io.StringIO()) as said:
    runpy.run_path(client)
del sys.modules["keras"]
import keras
scores = {"keras": keras.models.load_model("keras/model.keras").predict(images, verbose=0)}
if os.path.exists("litert"):
    from ai_edge_litert.interpreter import Interpreter
    model = Interpreter("litert/model.tflite")
    run = model.get_signature_runner("serving_default")
    scores["litert"] = run(images=images)["probabilities"]
if os.path.exists("onnx"):
    import onnxruntime
    session = onnxruntime.InferenceSession("onnx/model.onnx")
    scores["onnx"] = session.run(["probabilities"], {"images": images})[0]
    classes = session.get_modelmeta().custom_metadata_map["classes"]
    assert json.loads(classes) == ["blob", "ring"]
scores = {name: values.tolist() for name, values in scores.items()}
print(json.dumps({"client": said.getvalue().splitlines(), "scores": scores}))
"""


def test_each_format_gives_the_runs_predictions(tiny_run, image_folder, tmp_path):
    """As it is written by default; test_exporting.py opens those of fewer bits as these do."""
    for name, format in FORMATS.items():
        if all(importlib.util.find_spec(package) for package in format.needs):
            folder = "models/rings/1" if name == "saved_model" else name
            export_run(tiny_run, name, tmp_path / folder)
    with (tiny_run / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    images = np.stack([np.load(image_folder / f"{row['id']}.npy") for row in rows])
    np.save(tmp_path / "images.npy", images[..., None])
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(CLIENT)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    expected = np.array([[float(row["score_ring"])] for row in rows])
    for name, scores in answer["scores"].items():
        np.testing.assert_allclose(scores, expected, atol=1e-5, err_msg=name)
    said = [line.split() for line in answer["client"]]
    assert [words[1] for words in said] == [row["predicted"] for row in rows]
    expected = [float(row[f"score_{row['predicted']}"]) for row in rows]
    np.testing.assert_allclose([float(words[2]) for words in said], expected, atol=1e-5)
