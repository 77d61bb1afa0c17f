"""Scores images by a served model: python client.py models/my-lenses images.npy"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

model_dir, images_file = map(Path, sys.argv[1:])
versions = [path for path in model_dir.iterdir() if path.name.isdigit()]
newest = max(versions, key=lambda path: int(path.name))
classes = json.loads((newest / "lensnet.json").read_text())["classes"]
model = tf.saved_model.load(str(newest))
images = np.load(images_file).astype("float32")  # (N, height, width, bands), as they come

outputs = model.signatures["serving_default"](images=tf.constant(images))
for index, scores in enumerate(outputs["probabilities"].numpy().tolist()):
    scores = [1 - scores[0], *scores] if len(scores) == 1 else scores
    best = max(range(len(classes)), key=scores.__getitem__)
    print(index, classes[best], f"{scores[best]:.7g}")
