"""`lensnet datasets`."""

from __future__ import annotations

from typing import Any

import click

__all__ = ["command"]


@click.command("datasets", short_help="List the data sets and their options.")
@click.argument("pattern", default="*")
def command(pattern: str) -> None:
    """List the data sets whose name matches PATTERN, with what data.options may hold."""
    from lensnet import registry

    names = registry.datasets.names(pattern)
    if not names:
        registry.datasets.get(pattern)  # raises, naming the nearest
    for name in names:
        spec = registry.datasets.get(name)
        click.secho(name, bold=True)
        click.echo(f"  {spec.summary}")
        tasks = [task for task in registry.tasks.names() if spec.serves(registry.tasks.get(task))]
        click.echo(f"  tasks: {', '.join(tasks)}")
        if spec.classes:
            click.echo(f"  classes: {', '.join(spec.classes)}")
        if spec.needs_source_dir:
            click.echo("  reads your files from data.source_dir")
        for key, field in spec.options.model_fields.items():
            click.echo(f"  options.{key} (default {_default(field)}): {field.description}")
        click.echo()


def _default(field: Any) -> str:
    return "null" if field.default is None else str(field.default)
