"""`lensnet models`."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("models", short_help="List the backbones.")
@click.argument("pattern", default="*")
def command(pattern: str) -> None:
    """List the backbones whose name matches PATTERN, a shell pattern such as 'res*'."""
    from lensnet import registry
    from lensnet.cli.results import table

    specs = [registry.backbones.get(name) for name in registry.backbones.names(pattern)]
    if not specs:
        registry.backbones.get(pattern)  # raises, naming the nearest
    rows = [[spec.name, spec.family, ", ".join(spec.options) or "-", spec.source] for spec in specs]
    click.echo(table(["name", "family", "options", "source"], rows))
