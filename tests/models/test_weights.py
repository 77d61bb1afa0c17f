"""Starting from weights: timm's files, and a plain network's in a symmetric one."""

import logging
import sys

import keras
import numpy as np
import pytest
import timm_reference
from backends import on_tensorflow
from safetensors.numpy import save_file
from short_networks import build_short

import lensnet
from lensnet.errors import ConfigurationError
from lensnet.models.kit import make_kit
from lensnet.models.symmetric_initialization import initialize_from_plain
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, randomize

pytestmark = on_tensorflow
ARCHITECTURE = "mobilenetv3_small_100"


def create(name=ARCHITECTURE, *, size=64, channels=3, num_outputs=5, **options):
    return lensnet.models.create(
        name, input_shape=(size, size, channels), num_outputs=num_outputs, **options
    )


def answer(model, images):
    """Without a graph, which would take longer to make than to use."""
    return keras.ops.convert_to_numpy(model(images, training=False))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("timm") / "model.safetensors"
    state = timm_reference.state(ARCHITECTURE)
    save_file({name: array.astype("float32") for name, array in state.items()}, path)
    return path


@pytest.fixture(scope="module")
def narrow():
    """For weights that do not fit it, and leave it as it is."""
    return create(width=0.125)


class TestTimm:
    def test_a_local_file_gives_timms_answers(self, checkpoint):
        size = timm_reference.ARCHITECTURES[ARCHITECTURE]["input_size"]
        model = create(size=size, weights=str(checkpoint))
        logits = answer(model, timm_reference.input_images(ARCHITECTURE))
        _, expected = timm_reference.outputs(ARCHITECTURE)
        assert np.abs(logits - expected).max() / np.abs(expected).max() < 1e-4

    def test_one_band_is_answered_as_a_grey_image_and_it_is_said(self, checkpoint, caplog):
        grey = np.random.default_rng(0).standard_normal((2, 64, 64, 1)).astype("float32")
        colour = answer(create(weights=str(checkpoint)), np.repeat(grey, 3, axis=-1))
        with caplog.at_level(logging.INFO, "lensnet.models.weights"):
            one = answer(create(channels=1, weights=str(checkpoint)), grey)
        np.testing.assert_allclose(one, colour, atol=1e-4 * np.abs(colour).max())
        assert "sum over the 3 colours, divided by the number of bands (1)" in caplog.text
        four = create(channels=4, weights=str(checkpoint))
        answers = answer(four, np.repeat(grey, 4, axis=-1))
        np.testing.assert_allclose(answers, colour, atol=1e-4 * np.abs(colour).max())

    def test_another_head_is_left_as_it_is(self, checkpoint, caplog):
        model = create(num_outputs=7)
        with caplog.at_level(logging.INFO, "lensnet.models.weights"):
            assert lensnet.models.load_weights(model, checkpoint) == ["head.logits"]
        assert "the head starts anew (head.logits)" in caplog.text

    def test_the_first_parameter_that_differs_is_named(self, checkpoint):
        with pytest.raises(ConfigurationError, match=r"do not fit mobilenetv2_100: .*conv_stem"):
            create("mobilenetv2_100", weights=str(checkpoint))

    @pytest.mark.parametrize(
        "content", [b"", b"no such thing", b"\x08" + b"\x00" * 7 + b"{}      "]
    )
    def test_a_file_that_is_none(self, content, narrow, tmp_path):
        path = tmp_path / "model.safetensors"
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="safetensors|do not fit"):
            lensnet.models.load_weights(narrow, path)

    def test_a_file_that_is_not_there(self, narrow):
        with pytest.raises(ConfigurationError, match="cannot be read as safetensors"):
            lensnet.models.load_weights(narrow, "none.safetensors")

    def test_fetched_by_its_name(self, checkpoint, monkeypatch):
        """Through huggingface_hub, which is asked for the right file."""
        import huggingface_hub

        asked = []
        monkeypatch.setattr(
            huggingface_hub, "hf_hub_download", lambda *what: asked.append(what) or str(checkpoint)
        )
        create(weights=f"timm/{ARCHITECTURE}.lamb_in1k")
        assert asked == [(f"timm/{ARCHITECTURE}.lamb_in1k", "model.safetensors")]

    def test_of_another_architecture(self):
        with pytest.raises(ConfigurationError, match="weights of resnet50, and the backbone is"):
            create(weights="timm/resnet50.a1_in1k")

    def test_without_a_network(self, monkeypatch):
        import huggingface_hub
        from huggingface_hub.errors import LocalEntryNotFoundError

        def offline(*what):
            raise LocalEntryNotFoundError("nothing in the cache, and no connection")

        monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
        with pytest.raises(ConfigurationError, match="give the path of that file as model.weights"):
            create(weights=f"timm/{ARCHITECTURE}.lamb_in1k")

    def test_without_the_libraries(self, checkpoint, narrow, monkeypatch):
        monkeypatch.setitem(sys.modules, "safetensors", None)
        with pytest.raises(ConfigurationError, match=r"pip install 'lensnet\[pretrained\]'"):
            lensnet.models.load_weights(narrow, checkpoint)


def features(model, images):
    names = {layer.name for layer in model.layers}
    name = "global_pool.group" if "global_pool.group" in names else "global_pool"
    return answer(keras.Model(model.input, model.get_layer(name).output), images)


class TestFromAPlainNetwork:
    @pytest.mark.parametrize(
        ("name", "group"),
        [
            ("resnet18", "d4"),
            pytest.param("seresnet50", "c4", marks=pytest.mark.slow),
            ("mobilenetv3_small_100", "c4"),
        ],
    )
    def test_features_are_the_largest_over_the_turns_of_the_image(self, name, group):
        """What the module says, by turning the image for the plain network.

        At 65 pixels every stride fits: nothing is averaged before a step.
        """
        size = 65
        plain = build_short(name, "none", size)
        randomize(plain)
        model = build_short(name, group, size, width=0.125 * Group.parse(group).order)
        assert initialize_from_plain(model, plain) == []
        images = np.random.default_rng(1).standard_normal((2, size, size, 1)).astype("float32")
        parsed = Group.parse(group)
        turned = [
            features(plain, np.ascontiguousarray(parsed.transform(images, element)))
            for element in range(parsed.order)
        ]
        expected = np.max(turned, axis=0)
        np.testing.assert_allclose(
            features(model, images), expected, atol=1e-5 * np.abs(expected).max()
        )
        assert_equivariant(model, images, group)

    def test_every_other_layer(self):
        """Gates, rectangular and depthwise filters and scales, in a network of their own."""

        def build(symmetry, width):
            kit = make_kit(symmetry, width=width)
            image = keras.Input((9, 9, 2))
            x = kit.lift(image, 8, 3, use_bias=True, name="lift")
            x = kit.channel_attention(x, 3, name="gate")
            x = kit.conv(x, 8, (1, 7), use_bias=True, name="row")
            x = kit.conv(x, 8, 3, groups=4, name="groups")
            x = kit.depthwise(x, 5, use_bias=True, name="depthwise")
            x = kit.scale(x, initial=1.0, name="scale")
            return keras.Model(image, kit.invariant(x, name="global_pool"))

        plain, model = build("none", 1), build("c4", 4)
        randomize(plain)
        assert initialize_from_plain(model, plain) == []
        images = np.random.default_rng(1).standard_normal((2, 9, 9, 2)).astype("float32")
        turned = [answer(plain, np.rot90(images, k, (1, 2)).copy()) for k in range(4)]
        np.testing.assert_allclose(answer(model, images), np.max(turned, 0), atol=1e-5)

    def test_from_a_file_in_one_go(self, tmp_path):
        plain = create("resnet18", width=0.125)
        plain.save(tmp_path / "plain.keras")
        model = create(
            "resnet18",
            width=0.125,
            symmetry="c4",
            width_policy="fields",
            weights=str(tmp_path / "plain.keras"),
        )
        np.testing.assert_array_equal(
            model.get_layer("conv1").get_weights()[0][:, :, 0],
            plain.get_layer("conv1").get_weights()[0],
        )

    def test_timms_weights_in_a_rotational_network(self, checkpoint):
        model = create(symmetry="rot4", width_policy="parameters", weights=str(checkpoint))
        expected = timm_reference.state(ARCHITECTURE)["blocks.0.0.conv_dw.weight"]
        np.testing.assert_allclose(
            model.get_layer("blocks.0.0.conv_dw").get_weights()[0][..., 0],
            expected[:, 0].transpose(1, 2, 0),
            rtol=1e-6,
        )

    @pytest.mark.parametrize(
        ("name", "options", "reason"),
        [
            ("resnet18", {"symmetry": "c4"}, 'layer "conv1" would take weights .* fields'),
            (
                "resnet18",
                {"symmetry": "c8", "width_policy": "fields"},
                'layer "conv1" has filters of circular harmonics',
            ),
            (
                "convnext_atto",
                {"symmetry": "c4", "width_policy": "fields"},
                "normalises over all orientations at once",
            ),
        ],
    )
    def test_refused_with_the_reason(self, name, options, reason):
        plain = create(name, width=0.125)
        model = create(name, width=0.125, **options)
        before = [np.array(weight) for weight in model.get_weights()]
        with pytest.raises(ConfigurationError, match=reason):
            initialize_from_plain(model, plain)
        for weight, value in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, value)
