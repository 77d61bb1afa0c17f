"""The blocks of Python in the README and the documentation run, each page from top to bottom."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml
from code_blocks import PAGES, ROOT, blocks
from lens_images import ring_or_blob

pytestmark = pytest.mark.processes

# What pages take as given: a finished run, some images, and lensnet imported.
PROGRAM = """
import json, os, sys, traceback
sys.path.insert(0, os.getcwd())
import numpy as np
import lensnet, lensnet.export, tiny_backbone
tiny_backbone.register()
for format, quantize in (("saved_model", None), ("litert", "int8"), ("onnx", None)):
    lensnet.export.export_run("runs/my-lenses", format, quantize=quantize)
failed = []
for page in json.load(open("pages.json")):
    names = {"lensnet": lensnet, "images": np.load("images.npy")}
    for place, text in page:
        first = text.partition("\\n")[0]
        if first.endswith(".py") and first.startswith("# "):
            open(first[2:], "w").write(text)  # a block that is a file
            continue
        try:
            exec(compile(text, place, "exec"), names)
        except BaseException:
            traceback.print_exc()
            failed.append(place)
            break
json.dump(failed, open("failed.json", "w"))
"""


@pytest.fixture
def home(tiny_run, tmp_path):
    """A home directory with what the pages name."""
    rng = np.random.default_rng(0)
    for name in ("nonlens", "lens"):
        (tmp_path / "cutouts" / name).mkdir(parents=True)
        for index in range(30):
            image = ring_or_blob(name == "lens", rng)
            np.save(tmp_path / "cutouts" / name / f"{index}.npy", image)
    shutil.copytree(tiny_run, tmp_path / "runs" / "my-lenses")
    np.save(tmp_path / "images.npy", rng.standard_normal((4, 32, 32, 1)).astype("float32"))
    (tmp_path / "scores.csv").write_text("file,score_lens\na.npy,0.5\nb.npy,0.25\n")
    experiment = {
        "name": "my-lenses",
        "task": "binary",
        "data": {
            "dataset": "image_folder",
            "source_dir": "~/cutouts",
            "options": {"classes": ["nonlens", "lens"]},
        },
        "model": {"backbone": "resnet18"},
        "training": {"batch_size": 8},
    }
    (tmp_path / "my-lenses.yaml").write_text(yaml.safe_dump(experiment))
    return tmp_path


def test_python_blocks_run(home):
    pages = [
        [(block.place, block.text) for block in blocks("python", page) if not block.reason]
        for page in PAGES
    ]
    control = [("one that fails", "images.no_such_thing")]
    (home / "pages.json").write_text(json.dumps([*pages, control]))
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT / "tests")}
    environment.pop("LENSNET_DATA_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=home, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((home / "failed.json").read_text()) == ["one that fails"], done.stderr
    assert (home / "runs" / "my-cnn" / "export" / "saved_model").is_dir()
