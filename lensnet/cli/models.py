"""`lensnet models`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lensnet.config.backbone import BackboneSpec
    from lensnet.models.widths import WidthPolicy

__all__ = ["command"]

_HELP = """List the backbones whose name matches PATTERN, a shell pattern such as 'res*'.

Parameters and multiply-adds (of convolutions and dense layers, for one image) are those of the
network that these options would build.

\b
  lensnet models 'res*' --symmetry d4 --input-size 150
  lensnet models '*50*' --channels 4 --outputs 1 --width 0.5
"""


@click.command("models", short_help="List the backbones, their size and cost.", help=_HELP)
@click.argument("pattern", default="*")
@click.option("--symmetry", default="none", show_default=True, help="c4, d4, c8, rot4 …")
@click.option(
    "--input-size", default=128, show_default=True, type=click.IntRange(8), help="In pixels."
)
@click.option("--channels", default=3, show_default=True, type=click.IntRange(1), help="Bands.")
@click.option(
    "--outputs", default=1000, show_default=True, type=click.IntRange(1), help="Of the last layer."
)
@click.option("--width", default=1.0, show_default=True, type=click.FloatRange(0, min_open=True))
@click.option(
    "--width-policy",
    default="flops",
    show_default=True,
    type=click.Choice(["flops", "parameters", "fields"]),
    help="What a symmetric network has in common with the plain one.",
)
@click.option("--options", "show_options", is_flag=True, help="Show what model.options takes.")
def command(
    pattern: str,
    symmetry: str,
    input_size: int,
    channels: int,
    outputs: int,
    width: float,
    width_policy: WidthPolicy,
    show_options: bool,
) -> None:
    from lensnet import registry
    from lensnet.cli.results import table
    from lensnet.symmetry import Symmetry

    Symmetry.parse(symmetry)  # raises, naming what there is
    specs = [registry.backbones.get(name) for name in registry.backbones.names(pattern)]
    if not specs:
        registry.backbones.get(pattern)  # raises, naming the nearest
    heading = ["name", "family", "parameters (M)", "multiply-adds (G)", "symmetry", "source"]
    rows = []
    for spec in specs:
        size = _size(
            spec, symmetry, (input_size, input_size, channels), outputs, width, width_policy
        )
        rows.append([spec.name, spec.family, *size, spec.source])
    if show_options:
        heading.append("options")
        for row, spec in zip(rows, specs, strict=True):
            row.append(", ".join(f"{key}={value}" for key, value in spec.options.items()) or "-")
    click.echo(table(heading, rows))


def _size(
    spec: BackboneSpec,
    symmetry: str,
    input_shape: tuple[int, int, int],
    outputs: int,
    width: float,
    width_policy: WidthPolicy,
) -> list[float | str | None]:
    """Parameters and multiply-adds, and the symmetry, or that the network cannot have it."""
    from lensnet.errors import ConfigurationError
    from lensnet.models.kit.counting import count
    from lensnet.models.widths import width_factor

    try:
        counted = count(
            spec,
            input_shape=input_shape,
            num_outputs=outputs,
            symmetry=symmetry,
            width=width * width_factor(spec.name, symmetry, width_policy),
        )
    except ConfigurationError:
        return [None, None, f"not {symmetry}"]
    return [counted.parameters / 1e6, counted.multiply_adds / 1e9, symmetry]
