"""The blocks that MobileNet and EfficientNet share.

Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (arXiv:1801.04381),
section 3; squeeze-and-excitation between depthwise and last convolution after Tan et al. 2019
(arXiv:1807.11626); the fused block after Tan & Le 2021 (arXiv:2104.00298, figure 2).

A network is a tuple of stages, a stage a tuple of `Blocks`, which is a row of the papers' tables.
Layers carry the names of timm's parameters: "blocks.1.0.conv_pw" lies in stage 1, block 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lensnet.models.stochastic_depth import rates_by_stage

if TYPE_CHECKING:
    from lensnet.models.kit import Kit

__all__ = ["FAN_OUT", "Blocks", "SqueezeExcite", "Style", "add_stages", "round_channels"]

FAN_OUT = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "untruncated_normal"},
}
"""The initializer of every convolution in the authors' code: variance 2 / (taps * filters)."""


def round_channels(channels: float) -> int:
    """The nearest multiple of 8, at least 8, and at least 0.9 times what is rounded.

    Example:

    >>> round_channels(35.2), round_channels(88.08), round_channels(3), round_channels(11.9)
    (32, 88, 8, 16)
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


@dataclass(frozen=True)
class Blocks:
    """Blocks of one kind that follow each other.

    Args:
        kind: `"inverted"`: 1x1, depthwise and 1x1 convolutions; `"separable"`: the same without
            the first; `"fused"`: a convolution in place of the first two; `"plain"`: a
            convolution, normalised and activated.
        depth: how many.
        channels: of the output.
        kernel_size: side of the depthwise filters, or of the convolution that is not pointwise.
        strides: of the first block.
        expansion: channels between the first and the last convolution, in those of the input.
        squeeze_excite: with squeeze-and-excitation.
        activation: in place of the network's.
    """

    kind: str
    depth: int
    channels: int
    kernel_size: int = 3
    strides: int = 1
    expansion: float = 1.0
    squeeze_excite: bool = False
    activation: str | None = None


@dataclass(frozen=True)
class SqueezeExcite:
    """How a family squeezes and excites.

    Args:
        reduced: from channels of the block's input, and those that are gated, to the channels
            between the gate's two maps.
        activation: between them; None for the block's.
        gate_activation: of the gate.
    """

    reduced: Callable[[int, int], int]
    activation: str | None = None
    gate_activation: str = "sigmoid"


@dataclass(frozen=True)
class Style:
    """What all blocks of a network have in common.

    Args:
        activation: of every block whose `Blocks` names none.
        squeeze_excite: of the blocks that have it.
        padding: as in `Kit.conv`: `"same"` or `"tensorflow"`.
        drop_path: probability that the last block's branch is dropped for an example in training;
            0 in the first block, rising linearly.
    """

    activation: str
    squeeze_excite: SqueezeExcite | None = None
    padding: str = "same"
    drop_path: float = 0.0


def add_stages(
    kit: Kit, x: Any, stages: tuple[tuple[Blocks, ...], ...], style: Style, *, channels: int
) -> Any:
    """Adds the stages "blocks.0", "blocks.1" and so on.

    A block's output is added to its input where both have as many pixels and channels.

    Args:
        kit: supplies the layers.
        x: the stem's output.
        stages: of the plain network.
        style: what the blocks have in common.
        channels: of x in the plain network.

    Returns:
        the last stage's map.
    """
    depths = [sum(blocks.depth for blocks in stage) for stage in stages]
    rates = rates_by_stage(style.drop_path, depths)
    for stage_index, stage in enumerate(stages):
        rows = [blocks for blocks in stage for _ in range(blocks.depth)]
        for index, (blocks, rate) in enumerate(zip(rows, rates[stage_index], strict=True)):
            name = f"blocks.{stage_index}.{index}"
            is_first = index == 0 or rows[index - 1] is not blocks
            strides = blocks.strides if is_first else 1
            shortcut = x
            x = _branch(kit, x, blocks, style, channels, strides, name)
            if strides == 1 and channels == blocks.channels:
                x = kit.drop_path(x, rate, name=f"{name}.drop_path")
                x = kit.add([x, shortcut], name=f"{name}.add")
            channels = blocks.channels
        x = kit.stage(x, f"blocks.{stage_index}")
    return x


def _branch(
    kit: Kit, x: Any, blocks: Blocks, style: Style, channels: int, strides: int, name: str
) -> Any:
    """One block without its shortcut, from `channels` of the plain network."""
    activation = blocks.activation or style.activation
    expanded = round_channels(channels * blocks.expansion)
    window: dict[str, Any] = {"strides": strides, "padding": style.padding}
    if blocks.kind == "plain":
        x = kit.conv(x, blocks.channels, blocks.kernel_size, **window, name=f"{name}.conv")
        return _norm_act(kit, x, activation, f"{name}.bn1")
    if blocks.kind == "fused":
        x = kit.conv(x, expanded, blocks.kernel_size, **window, name=f"{name}.conv_exp")
        x = _norm_act(kit, x, activation, f"{name}.bn1")
        return _project(kit, x, blocks.channels, f"{name}.conv_pwl", f"{name}.bn2")
    if blocks.kind == "inverted":
        x = kit.conv(x, expanded, 1, name=f"{name}.conv_pw")
        x = _norm_act(kit, x, activation, f"{name}.bn1")
        x = kit.depthwise(x, blocks.kernel_size, **window, name=f"{name}.conv_dw")
        x = _norm_act(kit, x, activation, f"{name}.bn2")
        x = _squeeze_excited(kit, x, blocks, style, channels, expanded, f"{name}.se")
        return _project(kit, x, blocks.channels, f"{name}.conv_pwl", f"{name}.bn3")
    if blocks.kind == "separable":
        x = kit.depthwise(x, blocks.kernel_size, **window, name=f"{name}.conv_dw")
        x = _norm_act(kit, x, activation, f"{name}.bn1")
        x = _squeeze_excited(kit, x, blocks, style, channels, channels, f"{name}.se")
        return _project(kit, x, blocks.channels, f"{name}.conv_pw", f"{name}.bn2")
    raise ValueError(f'Blocks are inverted, separable, fused or plain; got "{blocks.kind}".')


def _norm_act(kit: Kit, x: Any, activation: str, name: str) -> Any:
    x = kit.norm(x, name=name)
    return kit.activation(x, activation, name=f"{name}.act")


def _project(kit: Kit, x: Any, channels: int, name: str, norm_name: str) -> Any:
    """The linear bottleneck."""
    x = kit.conv(x, channels, 1, name=name)
    return kit.norm(x, name=norm_name)


def _squeeze_excited(
    kit: Kit, x: Any, blocks: Blocks, style: Style, channels: int, gated: int, name: str
) -> Any:
    if not blocks.squeeze_excite:
        return x
    assert style.squeeze_excite is not None  # noqa: S101  a family whose blocks have it says how
    return kit.squeeze_excite(
        x,
        style.squeeze_excite.reduced(channels, gated),
        activation=style.squeeze_excite.activation or blocks.activation or style.activation,
        gate_activation=style.squeeze_excite.gate_activation,
        name=name,
    )
