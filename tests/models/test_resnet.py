import keras
import numpy as np
import pytest

from lensnet.models import resnet
from lensnet.models.kit import make_kit
from lensnet.models.kit.counting import count

TORCHVISION = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnext50_32x4d": 25_028_904,
    "resnext101_64x4d": 83_455_272,
}
"""Parameters that torchvision publishes with its weights for ImageNet."""

TIMM = {
    "resnet200": 64.67,
    "resnext101_32x4d": 44.18,
    "seresnet50": 28.09,
    "ecaresnet50d": 25.58,
    "ecaresnet200d": 64.69,
}
"""Millions of parameters in timm's table of benchmarks, results/benchmark-infer-*.csv."""

KINDS = {
    "ResNeXt": {"groups": 32, "group_channels": 4},
    "SE": {"attention": "se"},
    "ECA, D": {"attention": "eca", "deep": True},
}
"""What makes a variant, here with a block a stage."""


@pytest.mark.parametrize("name", [spec.name for spec in resnet.SPECS])
def test_published_parameters(name):
    counted = count(name, input_shape=(224, 224, 3), num_outputs=1000).parameters
    if name in TORCHVISION:
        assert counted == TORCHVISION[name]
    else:
        assert round(counted / 1e6, 2) == TIMM[name]


def test_cardinality():
    """32 groups of 4 channels in the first stage (Xie et al. 2017, table 1)."""
    kit = make_kit("none")
    image = keras.Input((32, 32, 3))
    model = keras.Model(image, resnet.build(kit, image, depths=(1, 1, 1, 1), **KINDS["ResNeXt"]))
    shapes = [tuple(model.get_layer(f"layer{n}.0.conv2").kernel.shape) for n in (1, 2, 3, 4)]
    assert shapes == [(3, 3, 4 * 2**n, 128 * 2**n) for n in range(4)]


def test_a_gate_sees_as_many_channels_as_timms():
    """Five, and seven in the last stage: `layer4.*.se.conv.weight` of ecaresnet200d in timm."""
    kit = make_kit("none")
    image = keras.Input((32, 32, 3))
    model = keras.Model(image, resnet.build(kit, image, depths=(1, 1, 1, 1), **KINDS["ECA, D"]))
    sizes = [model.get_layer(f"layer{n}.0.se.conv").kernel_size for n in (1, 2, 3, 4)]
    assert sizes == [(5,), (5,), (5,), (7,)]


def test_shortcuts_of_the_d_form_see_every_pixel():
    """The plain ones see every second one of each row and column: a quarter."""

    def share_seen(**options):
        kit = make_kit("none", width=0.125)
        image = keras.Input((32, 32, 3))
        x = resnet.build(kit, image, depths=(1, 1, 1, 1), attention=None, **options)
        model = keras.Model(image, x)
        before = model.get_layer("layer2.0.conv1").input
        shortcut = model.get_layer(f"layer2.0.downsample.{2 if options else 1}").output
        part = keras.Model(before, shortcut)
        maps = np.zeros((64, 8, 8, before.shape[-1]), "float32")
        maps.reshape(64, 64, -1)[np.arange(64), np.arange(64)] = 1
        changes = part.predict_on_batch(maps) - part.predict_on_batch(0 * maps)
        return (np.abs(changes).max(axis=(1, 2, 3)) > 0).mean()

    assert share_seen() == 0.25
    assert share_seen(deep=True) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_start_as_their_shortcuts(kind):
    kit = make_kit("c4", width=0.125)
    image = keras.Input((32, 32, 1))
    model = keras.Model(image, resnet.build(kit, image, depths=(1, 1, 1, 1), **KINDS[kind]))
    for number in (1, 2, 3, 4):
        norm = model.get_layer(f"layer{number}.0.bn3")
        assert not keras.ops.convert_to_numpy(norm.gamma).any()


def test_an_unknown_attention_is_refused():
    with pytest.raises(ValueError, match=r"or None; got 'cbam'"):
        image = keras.Input((32, 32, 1))
        resnet.build(make_kit("none"), image, depths=(1, 1, 1, 1), attention="cbam")
