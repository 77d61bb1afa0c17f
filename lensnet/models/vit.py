"""Vision transformers.

Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words" (arXiv:2010.11929): patches of the image
are tokens, which attend to each other. `deit3_` as in Touvron, Cord & Jegou 2022, "DeiT III"
(arXiv:2204.07118), with layer scale; `_dinov2` as in Oquab et al. 2024 (arXiv:2304.07193), and
`_reg4_` with four registers (Darcet et al. 2024, arXiv:2309.16588). Layers carry the names of
timm's parameters. `vit_lens` is ours: small patches, few channels, for cutouts of 48 to 101 pixels.

With a symmetry a patch becomes a stack of fields, as an image does by any first convolution; each
head holds whole fields, and what is learnt of positions and of the class token is left alone by
the symmetry (`lensnet.models.kit.token_interface`). So each token sees the others as it would if
the image were rotated, and the maps turn with the image. Zeros around the image fill it up to whole
patches, on both sides alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lensnet.config.backbone import BackboneSpec
from lensnet.errors import ConfigurationError, did_you_mean
from lensnet.models.stochastic_depth import rates_by_stage

if TYPE_CHECKING:
    from lensnet.models.kit import Kit

__all__ = ["SPECS", "build"]

_TINY = {"channels": 192, "heads": 3}
_SMALL = {"channels": 384, "heads": 6}
_MEDIUM = {"channels": 512, "heads": 8}
_BASE = {"channels": 768, "heads": 12}
_DEIT3 = {"layer_scale": 1e-6, "positions_of_prefix": False}
_DINOV2 = {"layer_scale": 1e-5, "patch_size": 14}
_REGISTERS = {"registers": 4, "positions_of_prefix": False}

_VARIANTS: dict[str, dict[str, Any]] = {
    "vit_tiny_patch16_224": _TINY,
    "vit_small_patch16_224": _SMALL,
    "vit_small_patch32_224": {**_SMALL, "patch_size": 32},
    "vit_base_patch16_224": _BASE,
    "deit3_small_patch16_224": {**_SMALL, **_DEIT3},
    "deit3_medium_patch16_224": {**_MEDIUM, **_DEIT3},
    "vit_small_patch14_dinov2": {**_SMALL, **_DINOV2},
    "vit_base_patch14_dinov2": {**_BASE, **_DINOV2},
    "vit_small_patch14_reg4_dinov2": {**_SMALL, **_DINOV2, **_REGISTERS},
    "vit_base_patch14_reg4_dinov2": {**_BASE, **_DINOV2, **_REGISTERS},
}

_SOURCES = {
    "deit3": "Touvron et al. 2022, arXiv:2204.07118",
    "reg4": "Darcet et al. 2024, arXiv:2309.16588",
    "dinov2": "Oquab et al. 2024, arXiv:2304.07193",
    "vit": "Dosovitskiy et al. 2021, arXiv:2010.11929",
}

_LENS: dict[str, Any] = {
    "channels": 192,
    "heads": 3,
    "depth": 8,
    "patch_size": 8,
    "pooling": "mean",
    "class_token": False,
    "positions_of_prefix": False,
}

_POOLINGS = ("token", "mean")
_POSITIONS = ("learned", "relative", "none")
_STEMS = ("patches", "convolutions")


def _options(variant: dict[str, Any], *more: str) -> dict[str, Any]:
    """The options of a variant, with the values that it has of itself."""
    defaults = {
        "drop_path": 0.0,
        "layer_scale": None,
        "pooling": "token",
        "positions": "learned",
        "class_token": True,
        "registers": 0,
        "stem": "patches",
    }
    names = ("drop_path", "layer_scale", "pooling", "positions", *more)
    return {name: variant.get(name, defaults.get(name)) for name in names}


SPECS = (
    *(
        BackboneSpec(
            name=name,
            family="vit",
            build="lensnet.models.vit:build",
            variant=variant,
            options=_options(variant),
            source=next(source for word, source in _SOURCES.items() if word in name),
            minimum_size=32,
            classifier="head",
        )
        for name, variant in _VARIANTS.items()
    ),
    BackboneSpec(
        name="vit_lens",
        family="vit",
        build="lensnet.models.vit:build",
        variant=_LENS,
        options=_options(_LENS, "patch_size", "stem", "depth", "class_token", "registers"),
        source="after Dosovitskiy et al. 2021, arXiv:2010.11929",
        minimum_size=16,
        classifier="head",
    ),
)

# The truncated normal distribution of the papers is cut off at +-2, a hundred standard deviations.
_INITIALIZER = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.02}}


def build(
    kit: Kit,
    image: Any,
    *,
    channels: int,
    heads: int,
    depth: int = 12,
    patch_size: int = 16,
    stem: str = "patches",
    positions: str = "learned",
    positions_of_prefix: bool = True,
    class_token: bool = True,
    registers: int = 0,
    pooling: str = "token",
    layer_scale: float | None = None,
    drop_path: float = 0.0,
) -> Any:
    """Builds the patches, the blocks, and what follows the pooling.

    Of twelve blocks there are four stages, which end with `blocks.2`, `blocks.5`, `blocks.8` and
    `blocks.11`; of others as near to quarters. A stage's map is that of the patches' tokens.

    Args:
        kit: supplies the layers.
        image: tensor (batch, height, width, channels), of known size.
        channels: of each token.
        heads: of the attention.
        depth: number of blocks.
        patch_size: side of the patches, in pixels; of a stem of convolutions 4, 8 or 16.
        stem: `"patches"`, one convolution of a patch; or `"convolutions"`, 3x3 with strides of 2,
            which trains more easily on few images (Xiao et al. 2021, arXiv:2106.14881).
        positions: `"learned"`, a vector a token; `"relative"`, a term of the scores for each head
            and displacement, which all blocks share; or `"none"`.
        positions_of_prefix: whether class token and registers have learnt vectors of positions too.
        class_token: whether there is one.
        registers: how many.
        pooling: `"token"`, the class token; or `"mean"`, over the patches' tokens.
        layer_scale: the factor that each branch starts with; None for branches without one.
        drop_path: probability that the last block's branches are dropped for an example in
            training; 0 in the first block, rising linearly.

    Returns:
        a map of one pixel, (batch, 1, 1, channels), normalised.

    Raises:
        ConfigurationError: an option without such a value, or a pooling of a class token that is
            not there.
    """
    _check("pooling", pooling, _POOLINGS)
    _check("positions", positions, _POSITIONS)
    _check("stem", stem, _STEMS)
    if pooling == "token" and not class_token:
        raise ConfigurationError(
            "pooling: token gives the class token's features: set class_token: true, or pooling: "
            "mean."
        )
    kit = kit.replace(kernel_initializer=_INITIALIZER)
    x = _patches(kit, image, channels, heads, patch_size, stem)
    size = kit.map_size(x, name="patch_embed")
    prefix = [("cls_token", 1)] * class_token + [("reg_token", registers)] * (registers > 0)
    first = sum(count for _, count in prefix)
    row = kit.tokens(x, name="patch_embed.tokens")
    if positions == "learned" and not (prefix and positions_of_prefix):
        row = kit.add_positions(row, size, name="pos_embed")
    rows = [kit.learned_tokens(x, count, name=name) for name, count in prefix]
    x = kit.join_tokens([*rows, row], name="tokens")
    if positions == "learned" and prefix and positions_of_prefix:
        x = kit.add_positions(x, size, prefix_tokens=first, name="pos_embed")
    bias = None
    if positions == "relative":
        bias = kit.position_bias(x, size, heads, prefix_tokens=first, name="rel_pos")
    inner = kit.block_diagonal(x.shape[-1])
    x = inner.enter(x, name="enter")
    ends = {-(-depth * quarter // 4) - 1 for quarter in range(1, 5)}
    for index, (rate,) in enumerate(rates_by_stage(drop_path, (1,) * depth)):
        name = f"blocks.{index}"
        x = _block(inner, x, heads, bias, layer_scale, rate, name=name)
        if index in ends:
            x = _mark(kit, inner.leave(x, name=f"{name}.leave"), size, first, name)
            x = x if index == depth - 1 else inner.enter(x, name=f"{name}.enter")
    if pooling == "token":
        x = kit.crop_tokens(x, 0, 1, name="pool.token")
        return kit.layer_norm(x, name="norm")
    x = kit.crop_tokens(x, first, size[0] * size[1], name="pool.tokens")
    x = kit.global_pool(x, name="pool.mean")
    return kit.layer_norm(x, name="fc_norm")


def _check(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigurationError(
            f'{option} is not "{value}".{did_you_mean(str(value), allowed)} Allowed: '
            f"{', '.join(allowed)}."
        )


def _patches(kit: Kit, image: Any, channels: int, heads: int, size: int, stem: str) -> Any:
    """The map of patches; each head's channels are whole fields."""
    if stem == "patches":
        return kit.lift(
            image,
            channels,
            size,
            strides=size,
            padding="tiles",
            divisible_by=heads,
            use_bias=True,
            name="patch_embed.proj",
        )
    steps = size.bit_length() - 1
    if size != 2**steps or steps < 2:
        raise ConfigurationError(
            f"stem: convolutions has strides of 2, so that patch_size is 4, 8 or 16; got {size}."
        )
    x = image
    for step in range(steps):
        name, filters = f"stem.{step}", channels // 2 ** (steps - 1 - step)
        convolve = kit.conv if step else kit.lift
        x = convolve(x, filters, 3, strides=2, name=f"{name}.conv")
        x = kit.norm(x, name=f"{name}.bn")
        x = kit.activation(x, "relu", name=f"{name}.relu")
    return kit.conv(x, channels, 1, divisible_by=heads, use_bias=True, name="patch_embed.proj")


def _block(
    kit: Kit,
    x: Any,
    heads: int,
    bias: Any,
    layer_scale: float | None,
    rate: float,
    *,
    name: str,
) -> Any:
    """Attention and a perceptron of two layers, each a residual branch."""
    channels = x.shape[-1]
    y = kit.layer_norm(x, name=f"{name}.norm1")
    y = kit.pointwise(y, 3 * channels, heads_out=3 * heads, name=f"{name}.attn.qkv")
    y = kit.attention(y, heads, bias=bias, name=f"{name}.attn")
    y = kit.pointwise(y, channels, heads_in=heads, name=f"{name}.attn.proj")
    x = _join(kit, x, y, layer_scale, rate, name=name, branch=1)
    y = kit.layer_norm(x, name=f"{name}.norm2")
    y = kit.pointwise(y, 4 * channels, activation="gelu", name=f"{name}.mlp.fc1")
    y = kit.pointwise(y, channels, name=f"{name}.mlp.fc2")
    return _join(kit, x, y, layer_scale, rate, name=name, branch=2)


def _join(
    kit: Kit, x: Any, y: Any, layer_scale: float | None, rate: float, *, name: str, branch: int
) -> Any:
    """The sum of a row and a residual branch."""
    if layer_scale is not None:
        y = kit.scale(y, initial=layer_scale, name=f"{name}.ls{branch}.gamma")
    y = kit.drop_path(y, rate, name=f"{name}.drop_path{branch}")
    return kit.add([y, x], name=f"{name}.add{branch}")


def _mark(kit: Kit, x: Any, size: tuple[int, int], first: int, name: str) -> Any:
    """Marks the end of a stage on the map that the tokens behind the first ones are."""
    tokens = size[0] * size[1]
    grid = kit.crop_tokens(x, first, tokens, name=f"{name}.crop")
    grid = kit.stage(kit.token_map(grid, size, name=f"{name}.map"), name)
    row = kit.tokens(grid, name=f"{name}.tokens")
    if not first:
        return row
    before = kit.crop_tokens(x, 0, first, name=f"{name}.prefix")
    return kit.join_tokens([before, row], name=f"{name}.join")
