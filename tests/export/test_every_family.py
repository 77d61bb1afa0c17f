"""Each family of networks, symmetric and not, and each kind of answer in each format."""

import keras
import numpy as np
import pytest

from lensnet import registry
from lensnet.data import Preprocessing
from lensnet.export.formats import FORMATS
from lensnet.export.served_model import ServedModel
from lensnet.layers import GroupAveraged, fold
from lensnet.models import create
from lensnet.registry import load_object
from lensnet.testing import randomize

pytestmark = pytest.mark.slow

# The smallest of each family, and of the ResNets those with other operations.
NAMES = [
    *("convnext_atto", "cspresnet50", "densenet121", "ecaresnet50d", "efficientnet_b0"),
    *("inception_resnet_v2", "inception_v3", "inception_v4", "lens_cnn", "mobilenetv3_small_100"),
    *("resnet18", "resnetv2_50", "resnext50_32x4d", "vgg16", "vit_tiny_patch16_224"),
]
FORMATS_OF_OTHERS = [name for name in FORMATS if name != "saved_model"]


def served(model, shape, task="classification", **preprocessing):
    how = Preprocessing(shape, **preprocessing)
    folded, task = fold(model), registry.tasks.get(task)
    return ServedModel(folded, how, task, ("a", "b", "c"))


def assert_same(served, folder, images, tolerance=1e-5):
    """Each format that can be made here answers as TensorFlow does, to a part of the largest."""
    outputs = served.function(images)
    expected = np.concatenate([outputs[name].numpy() for name in served.outputs], axis=1)
    for name in FORMATS_OF_OTHERS:
        for package in FORMATS[name].needs:
            pytest.importorskip(package)
        (folder / name).mkdir()
        load_object(FORMATS[name].write)(served, folder / name)
        run = load_object(FORMATS[name].open)(folder / name, list(served.outputs))
        for count in (len(images), 1):
            difference = np.abs(run(images[:count]) - expected[:count]).max()
            assert difference <= tolerance * max(1, np.abs(expected).max()), name


def test_each_family_is_here():
    known = {registry.backbones.get(name).family for name in registry.backbones.names("*")}
    assert {registry.backbones.get(name).family for name in NAMES} == known - {"tiny"}


def raw(shape, count=3):
    rng = np.random.default_rng(0)
    return (1000 + 20 * rng.standard_normal((count, *shape))).astype("float32")


@pytest.mark.parametrize("symmetry", ["none", "c4"])
@pytest.mark.parametrize("name", NAMES)
def test_families(name, symmetry, tmp_path):
    size = max(registry.backbones.get(name).minimum_size, 32)
    model = create(
        name,
        input_shape=(size, size, 2),
        num_outputs=3,
        symmetry=symmetry,
        width=0.125,
    )
    randomize(model)
    images = raw((size, size, 2))
    scale = {"normalization": "per_image_standard"}
    # Random weights of a hundred layers enlarge what is rounded off.
    assert_same(served(model, (size, size, 2), **scale), tmp_path, images, tolerance=1e-4)


@pytest.mark.parametrize(
    "normalization",
    [
        {"clip_percentiles": [1, 99.5], "stretch": "asinh", "scale": "dataset_standard"},
        {"clip_percentiles": [0.5, 100], "stretch": "log", "scale": "per_image_min_max"},
        {"stretch": "sqrt", "limits": "dataset", "scale": "none"},
        "dataset_min_max",
        "none",
    ],
    ids=str,
)
def test_preprocessing(normalization, tmp_path):
    images = raw((40, 40, 1))
    how = Preprocessing.fit(
        (40, 40, 1), 32, normalization, lambda: [images], repeat_channels=3, crop=38
    )
    model = create("resnet18", input_shape=(32, 32, 3), num_outputs=3, width=0.125)
    randomize(model)
    assert_same(
        ServedModel(fold(model), how, registry.tasks.get("classification"), ("a", "b", "c")),
        tmp_path,
        images,
    )


def small(outputs=1, symmetry="none", name=None):
    model = create(
        "resnet18",
        input_shape=(32, 32, 1),
        num_outputs=outputs,
        symmetry=symmetry,
        width=0.125,
        activation="sigmoid",
    )
    if name is not None:
        model.name = name
    return model


@pytest.mark.parametrize("stacked", [False, True])
def test_a_group_average(stacked, tmp_path):
    averaged = GroupAveraged(small(), "d4", stacked=stacked)
    assert_same(served(averaged, (32, 32, 1), "binary"), tmp_path, raw((32, 32, 1)))


def test_a_mean_of_networks(tmp_path):
    image = keras.Input((32, 32, 1))
    networks = [small(symmetry="c4", name="one"), small(name="two")]
    mean = keras.layers.Average()([network(image) for network in networks])
    model = keras.Model(image, mean)
    assert_same(served(model, (32, 32, 1), "binary"), tmp_path, raw((32, 32, 1)))


def test_a_quantity_with_its_sigma(tmp_path):
    task = registry.tasks.get("regression").with_loss("gaussian_nll")
    one = ServedModel(fold(small(2)), Preprocessing((32, 32, 1)), task, ())
    assert list(one.outputs) == ["predictions", "sigma"]
    assert_same(one, tmp_path, raw((32, 32, 1)))
