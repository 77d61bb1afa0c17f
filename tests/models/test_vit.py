"""Vision transformers: what their tokens, heads and positions are, in every symmetry."""

import logging

import keras
import numpy as np
import pytest
from backends import on_tensorflow
from short_networks import build_short

import lensnet
from lensnet import registry
from lensnet.errors import ConfigurationError
from lensnet.models import vit
from lensnet.models.building import build_network
from lensnet.models.kit import make_kit
from lensnet.models.kit.counting import count
from lensnet.models.position_resampling import resample_grid
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize

PARAMETERS = {
    "vit_tiny_patch16_224": 5.72,
    "vit_small_patch16_224": 22.05,
    "vit_small_patch32_224": 22.88,
    "vit_base_patch16_224": 86.57,
    "deit3_small_patch16_224": 22.06,
    "deit3_medium_patch16_224": 38.85,
    "vit_small_patch14_dinov2": 22.06,
    "vit_base_patch14_dinov2": 86.58,
    "vit_small_patch14_reg4_dinov2": 22.06,
    "vit_base_patch14_reg4_dinov2": 86.58,
}
"""Millions of parameters in timm's table of benchmarks; of `_dinov2` at 518 px, without a head."""


def images_of(size, number=2, bands=1):
    shape = (number, size, size, bands)
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def numpy(tensor):
    return keras.tree.map_structure(keras.ops.convert_to_numpy, tensor)


def lens(symmetry="none", size=48, **options):
    """A small `vit_lens` with random weights."""
    spec = registry.backbones.get("vit_lens")
    options = {"depth": 2, "patch_size": 8, **options}
    model = build_network(
        spec,
        make_kit(symmetry, width=0.25),
        input_shape=(size, size, 1),
        num_outputs=3,
        options=options,
    )
    randomize(model, gain=2**0.5)
    return model


@pytest.mark.parametrize("name", [spec.name for spec in vit.SPECS if spec.name != "vit_lens"])
def test_published_parameters(name):
    size, outputs = (518, 0) if "dinov2" in name else (224, 1000)
    counted = count(name, input_shape=(size, size, 3), num_outputs=outputs).parameters
    assert round(counted / 1e6, 2) == PARAMETERS[name]


def test_both_branches_of_a_block_are_dropped():
    model = lens(depth=3, drop_path=0.2, layer_scale=0.1)
    rates = {x.name: x.rate for x in model.layers if "drop_path" in x.name}
    assert rates == {f"blocks.{i}.drop_path{k}": 0.1 * i for i in (1, 2) for k in (1, 2)}
    (gamma,) = model.get_layer("blocks.0.ls1.gamma").get_weights()
    assert gamma.size == 48


# --- attention ------------------------------------------------------------------------------------


def attention(queries, keys, values, bias):
    """The definition, a number at a time: (tokens, channels of a head) each."""
    tokens, size = queries.shape
    answers = np.zeros((tokens, values.shape[1]))
    weights = np.zeros((tokens, tokens))
    for i in range(tokens):
        for j in range(tokens):
            score = sum(queries[i, c] * keys[j, c] for c in range(size)) / np.sqrt(size)
            weights[i, j] = np.exp(score + bias[i, j])
        weights[i] /= weights[i].sum()
        for j in range(tokens):
            answers[i] += weights[i, j] * values[j]
    return answers, weights


@pytest.mark.parametrize(("symmetry", "heads"), [("none", 3), ("c4", 2)])
def test_attention_is_its_definition(symmetry, heads):
    tokens, channels = 5, 24
    kit = make_kit(symmetry)
    row = keras.Input((1, tokens, 3 * channels))
    bias = np.random.default_rng(1).standard_normal((1, heads, tokens, tokens)).astype("float32")
    outputs = kit.attention(row, heads, bias=bias, name="attn")
    weights = next(op for op in keras.Model(row, outputs).layers if op.name == "attn.softmax")
    model = keras.Model(row, [outputs, weights.output])
    x = np.random.default_rng(0).standard_normal((2, 1, tokens, 3 * channels)).astype("float32")
    actual, actual_weights = numpy(model(x))
    size = channels // heads
    for example in range(2):
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            q, k, v = (x[example, 0, :, i * channels :][:, part] for i in range(3))
            expected, expected_weights = attention(q, k, v, bias[0, head])
            np.testing.assert_allclose(actual[example, 0, :, part], expected, atol=1e-5)
            np.testing.assert_allclose(actual_weights[example, head], expected_weights, atol=1e-6)


@pytest.mark.parametrize("group_name", ["c4", "d4", "d8"])
def test_scores_do_not_see_elements_change_places(group_name):
    """Queries and keys whose elements are permuted alike have the same products."""
    group, heads, tokens = Group.parse(group_name), 2, 4
    kit = make_kit(group_name)
    channels = 2 * heads * group.order
    row = keras.Input((1, tokens, 3 * channels))
    model = keras.Model(row, kit.attention(row, heads, name="attn"))
    x = np.random.default_rng(0).standard_normal((1, 1, tokens, 3 * channels)).astype("float32")

    def permuted(values, element):
        fields = values.reshape(*values.shape[:-1], -1, group.order)
        return fields[..., group.regular_permutation(element)].reshape(values.shape)

    expected = numpy(model(x))
    for element in range(group.order):
        np.testing.assert_allclose(
            numpy(model(permuted(x, element))), permuted(expected, element), atol=1e-5
        )
    # Control: elements that change places in each field by themselves.
    shuffled = np.random.default_rng(1).permutation(channels)
    wrong = np.concatenate([x[..., :channels][..., shuffled], x[..., channels:]], axis=-1)
    assert np.abs(numpy(model(wrong)) - expected).max() > 1e-2


def test_attention_in_half_precision_has_weights_of_single():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = lens("c4")
    finally:
        keras.config.set_dtype_policy(before)
    weights = model.get_layer("blocks.0.attn.softmax").output
    assert keras.backend.standardize_dtype(weights.dtype) == "float32"
    assert keras.backend.standardize_dtype(model.get_layer("blocks.0.attn.proj").output.dtype) == (
        "float16"
    )
    assert np.isfinite(numpy(model(images_of(48)))).all()


# --- symmetry -------------------------------------------------------------------------------------

EXACT = [
    ("c4", 48, {"class_token": True, "registers": 2, "pooling": "token"}),
    ("d4", 64, {}),
    # Zeros on both sides: an even and an odd number of pixels is missing.
    ("d4", 50, {"positions": "relative", "class_token": True}),
    ("d4", 49, {"stem": "convolutions"}),
    ("c8", 48, {"class_token": True}),
    ("rot4", 50, {"positions": "relative", "class_token": True}),
    ("c4", 49, {"layer_scale": 1.0}),
    ("d8", 49, {"positions": "relative"}),
    ("rot4", 48, {"class_token": True, "registers": 1}),
    ("rot4_inputs", 49, {"class_token": True}),
    ("c4", 48, {"positions": "none"}),
]
QUICK = 3 if keras.backend.backend() != "tensorflow" else 6
EXACT = [
    pytest.param(*case, marks=[] if number < QUICK else pytest.mark.slow)
    for number, case in enumerate(EXACT)
]


@pytest.mark.parametrize(("symmetry", "size", "options"), EXACT)
def test_exact_invariance(symmetry, size, options):
    model = lens(symmetry, size, **options)
    assert_equivariant(model, images_of(size), "d4" if symmetry[0] == "d" else "c4")


@on_tensorflow
def test_controls_fail_the_same_check(monkeypatch):
    """The plain network, and a symmetric one whose positions are free for every channel."""
    images = images_of(48)
    assert equivariance_error(lens(), images, Group(4), outputs="invariant") > 1e-3

    from lensnet.models.kit.regular import RegularKit
    from lensnet.models.kit.scalar import ScalarKit

    monkeypatch.setattr(RegularKit, "add_positions", ScalarKit.add_positions)
    model = lens("c4")
    assert equivariance_error(model, images, Group(4), outputs="invariant") > 1e-3


def test_maps_of_stages_and_of_attention_turn_with_the_image():
    symmetry = "d4"
    model = lens(symmetry, class_token=True, registers=1, pooling="token")
    maps = keras.Model(model.input, model.get_layer("stage.blocks.1").output)
    assert_equivariant(maps, images_of(48), symmetry, outputs="regular", tolerance=2e-5)
    attention_maps = lensnet.models.attention_maps(model)
    assert list(attention_maps.output) == ["blocks.0", "blocks.1"]
    for name in attention_maps.output:
        looks = keras.Model(model.input, attention_maps.output[name])
        assert_equivariant(looks, images_of(48), symmetry, outputs="scalar")


def test_attention_maps_are_shares():
    """Without a class token those of all tokens: together they give each of themselves one."""
    model = lens()
    maps = numpy(lensnet.models.attention_maps(model)(images_of(48)))
    assert maps["blocks.1"].shape == (2, 6, 6, 3)
    np.testing.assert_allclose(maps["blocks.1"].sum(axis=(1, 2)), 1, rtol=1e-5)
    with pytest.raises(ConfigurationError, match="has no attention between patches"):
        lensnet.models.attention_maps(build_short("resnet18", "none"))


@on_tensorflow
@pytest.mark.parametrize("symmetry", [pytest.param("c4", marks=pytest.mark.slow), "d4"])
def test_block_diagonal_networks_answer_the_same(symmetry, monkeypatch):
    """Their layers compute in the basis of irreducible representations, with the same weights."""
    from lensnet.models.kit import regular

    options = {"class_token": True, "layer_scale": 1.0, "depth": 2, "registers": 1}
    dense = lens(symmetry, **options)
    monkeypatch.setattr(regular, "LEAST_IRREP_CHANNELS", {symmetry: 1})
    blocks = lens(symmetry, **options)
    kinds = {type(layer).__name__ for layer in blocks.layers}
    assert {"FieldBasis", "IrrepActivation"} <= kinds
    blocks.set_weights(dense.get_weights())
    expected = numpy(dense(images_of(48)))
    largest = np.abs(expected).max()
    for model in (blocks, lensnet.layers.fold(blocks)):
        np.testing.assert_allclose(numpy(model(images_of(48))), expected, atol=1e-5 * largest)
    assert_equivariant(blocks, images_of(48), symmetry)


# --- positions ------------------------------------------------------------------------------------


def test_relative_positions_are_terms_of_displacements():
    """Built of reshapes, against a term looked up for each pair."""
    height, width, heads, first = 3, 2, 2, 2
    kit = make_kit("none")
    row = keras.Input((1, first + height * width, 8))
    bias = kit.position_bias(row, (height, width), heads, prefix_tokens=first, name="rel_pos")
    model = keras.Model(row, bias)
    randomize(model)
    (table,) = model.get_layer("rel_pos").get_weights()
    displacements = table[0, :-3].reshape(2 * height - 1, 2 * width - 1, heads)
    actual = numpy(model(np.zeros((1, 1, first + height * width, 8), "float32")))
    assert actual.shape == (1, heads, 8, 8)
    places = [(y, x) for y in range(height) for x in range(width)]
    for i, (y, x) in enumerate(places):
        for j, (v, u) in enumerate(places):
            expected = displacements[v - y + height - 1, u - x + width - 1]
            np.testing.assert_array_equal(actual[0, :, first + i, first + j], expected)
        np.testing.assert_array_equal(actual[0, :, first + i, 0], table[0, -3])
        np.testing.assert_array_equal(actual[0, :, 1, first + i], table[0, -2])
    np.testing.assert_array_equal(actual[0, :, 0, 1], table[0, -1])


# torch 2.13: F.interpolate(torch.arange(16.).reshape(1, 1, 4, 4) ** 2, size=size, mode="bicubic",
# antialias=True)
INTERPOLATED = {
    (3, 6): [
        [1.0425, 2.128, 4.342, 7.355, 11.9645, 15.1955],
        [36.8919, 42.9824, 53.1082, 63.1082, 75.6295, 83.8655],
        [125.4301, 136.5257, 154.5633, 171.5503, 191.9833, 205.2244],
    ],
    (2, 2): [[13.0107, 27.0637], [109.2538, 149.9941]],
}


@pytest.mark.parametrize("size", list(INTERPOLATED))
def test_positions_are_resampled_as_pytorch_does(size):
    grid = (np.arange(16.0) ** 2).reshape(4, 4, 1)
    np.testing.assert_allclose(resample_grid(grid, size)[..., 0], INTERPOLATED[size], atol=1e-4)


def test_a_grid_of_the_same_size_stays():
    grid = np.random.default_rng(0).standard_normal((4, 4, 3))
    np.testing.assert_array_equal(resample_grid(grid, (4, 4)), grid)


@on_tensorflow
@pytest.mark.parametrize("symmetry", ["none", "d4"])
def test_weights_of_another_size_of_image(symmetry, tmp_path, caplog):
    """Of a file of ours: vectors of positions are resampled, those before the grid stay."""
    options = {"depth": 1, "class_token": True, "symmetry": symmetry, "width": 0.25}

    def create(size, **more):
        return lensnet.models.create(
            "vit_lens", input_shape=(size, size, 1), num_outputs=2, **options, **more
        )

    small = create(32)
    randomize(small)
    small.save(tmp_path / "model.keras")
    with caplog.at_level(logging.INFO, "lensnet.models"):
        large = create(64, weights=str(tmp_path / "model.keras"))
    assert "resampled to a grid of 8 x 8 tokens (bicubic, antialiased)" in caplog.text
    before, after = (model.get_layer("pos_embed").get_weights()[0] for model in (small, large))
    before, after = before.reshape(4, 4, -1), after.reshape(8, 8, -1)
    np.testing.assert_allclose(after, resample_grid(before, (8, 8)), rtol=1e-5, atol=1e-6)


@on_tensorflow
def test_a_checkpoint_of_timm_for_another_size_of_image():
    """Class token's vector first, as vit_tiny has it."""
    import timm_reference

    name = "vit_tiny_patch16_224"
    state = timm_reference.state(name)
    model = lensnet.models.create(name, input_shape=(48, 80, 3), num_outputs=5)
    lensnet.models.load_timm_weights(model, state)
    (table,) = model.get_layer("pos_embed").get_weights()
    theirs = state["pos_embed"]
    np.testing.assert_allclose(table[:, :1], theirs[:, :1], rtol=1e-6)
    grid = resample_grid(theirs[0, 1:].reshape(4, 4, -1), (3, 5))
    np.testing.assert_allclose(table[0, 1:], grid.reshape(15, -1), rtol=1e-5, atol=1e-6)


# --- weights and options --------------------------------------------------------------------------


@on_tensorflow
def test_a_plain_network_in_a_rotational_one():
    """By shape; positions become the mean over the rotations."""
    from lensnet.models.symmetric_initialization import initialize_from_plain

    options = {"class_token": True, "registers": 1, "pooling": "token"}
    plain, model = lens("none", **options), lens("rot4", **options)
    assert initialize_from_plain(model, plain) == []
    (table,) = plain.get_layer("pos_embed").get_weights()
    grid = table[0].reshape(6, 6, -1)
    actual = numpy(model.get_layer("pos_embed").expanded_table()).reshape(6, 6, -1)
    expected = np.mean([np.rot90(grid, k) for k in range(4)], axis=0)
    np.testing.assert_allclose(actual, expected, atol=1e-6)


@on_tensorflow
def test_a_plain_network_in_a_symmetric_one_is_refused():
    from lensnet.models.symmetric_initialization import initialize_from_plain

    plain = lensnet.models.create(
        "vit_lens", input_shape=(32, 32, 1), num_outputs=2, width=0.25, depth=1
    )
    model = lensnet.models.create(
        "vit_lens",
        input_shape=(32, 32, 1),
        num_outputs=2,
        width=0.25,
        depth=1,
        symmetry="c4",
        width_policy="fields",
    )
    with pytest.raises(ConfigurationError, match="normalises over all orientations at once"):
        initialize_from_plain(model, plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "tokens"}, 'pooling is not "tokens". Did you mean "token"'),
        ({"positions": "free"}, 'positions is not "free"'),
        ({"stem": "conv"}, 'stem is not "conv"'),
        ({"pooling": "token"}, "set class_token: true"),
        ({"stem": "convolutions", "patch_size": 6}, "patch_size is 4, 8 or 16; got 6"),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(ConfigurationError, match=message):
        count("vit_lens", input_shape=(64, 64, 1), num_outputs=1, options=options)


def test_any_size_of_image_needs_to_be_known():
    with pytest.raises(ConfigurationError, match="whose size must be known"):
        lensnet.models.create("vit_lens", input_shape=(None, None, 1), num_outputs=1)


def test_no_pixel_is_left_out():
    """Where patches do not tile the image, zeros on both sides fill it up."""
    for symmetry in ("none", "c4"):
        model = lens(symmetry, 49, depth=1, positions="none")
        corners = np.zeros((3, 49, 49, 1), "float32")
        corners[1, -1, -1] = corners[2, 0, 0] = 100
        patches = keras.Model(model.input, model.get_layer("patch_embed.proj").output)
        empty, last, first = numpy(patches(corners))
        assert empty.shape[:2] == (7, 7)
        assert (last[-1, -1] != empty[-1, -1]).any() and (first[0, 0] != empty[0, 0]).any()
