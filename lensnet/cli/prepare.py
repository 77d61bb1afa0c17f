"""`lensnet prepare`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["command"]


@click.command("prepare", short_help="Prepare an experiment's data without training.")
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key, such as data.options.examples_per_class=50. Repeatable.",
)
def command(experiment: Path, overrides: tuple[str, ...]) -> None:
    """Prepare the data of EXPERIMENT, a YAML file: read or simulate, check, split, write records.

    `lensnet fit` does this by itself. Files that cannot be used are listed with the reason in
    quarantine.csv beside the records.
    """
    from lensnet import config

    loaded = config.load(experiment, overrides)

    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    from lensnet.cli.results import table
    from lensnet.data import prepare

    data = prepare(loaded)
    splits = ("train", "validation", "test")
    counts = {split: data.counts(split) for split in splits}
    names = list(counts["train"])
    click.echo(table(["", *splits], [[n, *(counts[s].get(n, 0) for s in splits)] for n in names]))
    height, width, channels = data.native_shape
    click.echo(f"Images: {height} x {width} pixels, {channels} channel(s)")
    click.echo(f"Bad files: {len(data.quarantine)}")
    click.echo(f"Records: {data.directory}")
