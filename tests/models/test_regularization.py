"""What regularises any network: DropBlock in its last stages, and L2 on its kernels."""

import keras
import numpy as np
import pytest

from lensnet.errors import ConfigurationError
from lensnet.layers import fold
from lensnet.models import create
from lensnet.testing import assert_equivariant


def network(name="tiny", pixels=16, **options):
    return create(name, input_shape=(pixels, pixels, 1), num_outputs=3, **options)


def dropping(model):
    return [layer.name for layer in model.layers if layer.name.endswith(".drop_block")]


def images(pixels=16):
    return np.random.default_rng(0).normal(size=(4, pixels, pixels, 1)).astype("float32")


@pytest.mark.parametrize("symmetry", ["none", "d4", "rot4"])
def test_blocks_are_dropped_in_training_alone(symmetry):
    model = network(symmetry=symmetry, drop_block={"rate": 0.3, "block_size": 3, "stages": 1})
    assert dropping(model) == ["bn2.drop_block"]
    batch = images()
    trained = [keras.ops.convert_to_numpy(model(batch, training=True)) for _ in range(2)]
    assert np.abs(trained[0] - trained[1]).max() > 1e-4
    plain = network(symmetry=symmetry)
    plain.set_weights(model.get_weights())
    for same in (model, fold(model)):
        answers = keras.ops.convert_to_numpy(same(batch, training=False))
        np.testing.assert_allclose(
            answers, keras.ops.convert_to_numpy(plain(batch, training=False)), atol=1e-5
        )
    assert not dropping(fold(model))
    if symmetry == "d4":
        assert_equivariant(model, batch, "d4")


@pytest.mark.parametrize(
    ("name", "first", "count"),
    [
        # The third and fourth stage: two blocks of two, and a shortcut, each.
        ("resnet18", "layer3.0.bn1", 10),
        # No normalisation: the ends of both stages.
        ("lens_cnn", "dense1", 2),
    ],
)
def test_where_it_comes(name, first, count):
    model = network(name, 40, width=0.125, drop_block={})
    assert first + ".drop_block" in dropping(model)
    assert len(dropping(model)) == count
    layer = model.get_layer(first + ".drop_block")
    assert (layer.rate, layer.block_size) == (0.1, 7)


def test_a_network_that_is_not_of_the_zoo_takes_none(monkeypatch):
    from lensnet.models import hub

    monkeypatch.setattr(hub, "_load", lambda preset: None)
    with pytest.raises(ConfigurationError, match="model.drop_block: .* takes none"):
        network("hub:some", drop_block={})


def test_rows_of_tokens_take_none():
    with pytest.raises(ConfigurationError, match="no blocks of neighbours; drop_path drops"):
        network("vit_lens", drop_block={})


def squares(model, *layers):
    kernels = [keras.ops.convert_to_numpy(model.get_layer(name).kernel) for name in layers]
    return sum(float((kernel**2).sum()) for kernel in kernels)


@pytest.mark.parametrize("symmetry", ["none", "c4"])
def test_l2_of_every_kernel_goes_into_the_loss(symmetry):
    model = network(symmetry=symmetry, l2=0.1, head={"units": [4]})
    model(images())
    expected = 0.1 * squares(model, "conv1", "conv2", "head.dense1", "head.logits")
    assert sum(map(float, model.losses)) == pytest.approx(expected, rel=1e-5)
    assert network(symmetry=symmetry).losses == []


def test_l2_adds_to_what_a_family_has():
    model = network("lens_cnn", 32, width=0.125, l2=0.1, weight_decay=0.05)
    model(images(32))
    convolutions = [layer.name for layer in model.layers if layer.weights][:-1]
    expected = 0.15 * squares(model, *convolutions) + 0.1 * squares(model, "head.logits")
    assert sum(map(float, model.losses)) == pytest.approx(expected, rel=1e-5)
