"""`lensnet prepare`."""

from __future__ import annotations

from pathlib import Path

import click

from lensnet.cli.options import experiment_argument, set_option

__all__ = ["command"]


@click.command("prepare", short_help="Prepare an experiment's data without training.")
@experiment_argument
@set_option("Override a key, such as data.options.examples_per_class=50.")
@click.option("--beam", is_flag=True, help="Prepare with Apache Beam: by default on this machine.")
@click.option(
    "--beam-option",
    "beam_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of Beam's pipeline, such as runner=FlinkRunner. Repeatable; implies --beam.",
)
def command(
    experiment: Path, overrides: tuple[str, ...], beam: bool, beam_options: tuple[str, ...]
) -> None:
    """Prepare the data of EXPERIMENT, a YAML file: read or simulate, check, split, write records.

    `lensnet fit` does this by itself. Files that cannot be used are listed with the reason in
    quarantine.csv beside the records. If it is interrupted, start it again.

    The workers of a Beam runner must see data.data_dir and the source files under the same paths
    as this machine.

    \b
    Example:
        lensnet prepare survey.yaml --beam-option runner=SparkRunner
    """
    from lensnet import config
    from lensnet.cli.places import check_data_dir

    loaded = config.load(experiment, overrides)
    check_data_dir(loaded)

    from lensnet.cli.startup import start_tensorflow
    from lensnet.data.sources.listed_folds import check_folds
    from lensnet.data.sources.missing_files import check_named_files

    check_named_files(loaded)
    check_folds(loaded)
    start_tensorflow()

    from lensnet.cli.results import table
    from lensnet.data import prepare
    from lensnet.data.records.preparation import other_preparations

    flags = list(beam_options) if beam or beam_options else None
    data = prepare(loaded, beam_options=flags)
    splits = ("train", "validation", "test")
    counts = {split: data.counts(split) for split in splits}
    names = list(counts["train"])
    heads = ["train (sample)" if loaded.data.fresh else "train", *splits[1:]]
    click.echo(table(["", *heads], [[n, *(counts[s].get(n, 0) for s in splits)] for n in names]))
    if loaded.data.fresh:
        click.echo(
            f"Training: {data.examples_per_epoch} new images every epoch, simulated while the "
            "network trains; of the sample are statistics alone"
        )
    folds = loaded.training.folds
    if folds is not None:
        click.echo(f"Folds: {folds}; these are the splits of fold {loaded.training.fold or 0}.")
    height, width, channels = data.native_shape
    click.echo(f"Images: {height} x {width} pixels, {channels} channel(s)")
    click.echo(f"Bad files: {len(data.quarantine)}")
    click.echo(f"Records: {data.directory}")
    count, size = other_preparations(data.directory)
    if count:
        click.echo(
            f"Beside them: {count} of other files, options or splits, {size / 1e6:.1f} MB. Delete "
            f"what no experiment needs from {data.directory.parent.parent}"
        )
