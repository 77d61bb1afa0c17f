"""Networks without symmetry are Keras's own, and are read where lensnet is not installed."""

import importlib.util
import os
import subprocess
import sys
from textwrap import dedent

import keras
import numpy as np
import pytest
from backends import only_on_tensorflow
from short_networks import build_short

import lensnet
from lensnet import registry
from lensnet.testing import randomize

QUICK = {
    "convnext_atto",
    "cspresnet50",
    "densenet121",
    "efficientnet_b0",
    "inception_v3",
    "lens_cnn",
    "mobilenetv3_small_100",
    "resnetv2_50",
    "resnext50_32x4d",
    "vgg16",
    "vit_tiny_patch16_224",
}
"""One of each family but the two largest Inceptions."""

NAMES = [name for name in registry.backbones.names() if name != "tiny"]
SIZE = 48

READ = [
    "convnext_atto",
    "mobilenetv3_small_100",
    "resnext50_32x4d",
    "vgg16",
    "vit_tiny_patch16_224",
]
"""What is written and read again in the quick tests: with every kind of layer."""

FOLDED = [("convnext_atto", "none"), ("lens_cnn", "d4")]
"""What is folded in the quick tests, and its symmetry."""

# Reads models by Keras alone and compares their answers with those beside them.
READER = """
    import sys
    from pathlib import Path
    sys.modules["lensnet"] = None
    import keras
    import numpy as np
    folder = Path(sys.argv[1])
    images = np.load(folder / "images.npy")
    for file in sys.argv[2:]:
        model = keras.models.load_model(folder / file)
        actual = keras.ops.convert_to_numpy(model(images, training=False))
        expected = np.load((folder / file).with_suffix(".npy"))
        error = np.abs(actual - expected).max() / np.abs(expected).max()
        assert error <= 1e-4, f"{file}: {error}"
    print(keras.backend.backend(), "done")
"""


def network(name, symmetry="none"):
    """Of few blocks and an eighth of the width, with every weight random."""
    model = build_short(name, symmetry, SIZE, channels=2)
    randomize(model, gain=2**0.5)
    return model


def test_one_name_of_every_family():
    families = {registry.backbones.get(name).family for name in NAMES}
    quick = {registry.backbones.get(name).family for name in QUICK}
    assert families - quick == {"inception_v4", "inception_resnet_v2"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in NAMES]
)
def test_all_layers_are_kerass(name):
    model = network(name)
    assert {type(operation).__module__.partition(".")[0] for operation in model.operations} == {
        "keras"
    }
    assert "lensnet" not in model.to_json()


@pytest.fixture(scope="module", params=["quick", pytest.param("slow", marks=pytest.mark.slow)])
def folder(request, tmp_path_factory):
    """Files of networks, plain and folded, and their answers."""
    folder = tmp_path_factory.mktemp("networks")
    images = np.random.default_rng(0).standard_normal((2, SIZE, SIZE, 2)).astype("float32")
    np.save(folder / "images.npy", images)

    def save(name, model, written):
        answers = keras.ops.convert_to_numpy(model(images, training=False))
        np.save(folder / f"{name}.npy", answers)
        written.save(folder / f"{name}.keras")
        keras.utils.clear_session()

    if request.param == "quick":
        plain, folded = READ, FOLDED
    else:
        plain = (QUICK | {"inception_v4", "inception_resnet_v2"}) - set(READ)
        folded = [(name, symmetry) for name in QUICK | plain for symmetry in ("none", "d4")]
    for name in plain:
        model = network(name)
        save(name, model, model)
    for name, symmetry in folded:
        model = network(name, symmetry)
        save(f"folded_{name}_{symmetry}", model, lensnet.layers.fold(model))
    return folder


@pytest.mark.processes
@only_on_tensorflow("its files are those that TensorFlow writes, for every backend to read")
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_networks_are_read_without_lensnet(folder, backend):
    """On TensorFlow all of them, elsewhere those that are folded."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    pattern = "*.keras" if backend == "tensorflow" else "folded_*.keras"
    files = sorted(file.name for file in folder.glob(pattern))
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    # On JAX most of the time would go into optimising what runs once.
    environment["XLA_FLAGS"] = "--xla_backend_optimization_level=0"
    command = [sys.executable, "-c", dedent(READER), str(folder), *files]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [backend, "done"], done.stderr
