"""`lensnet explore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lensnet.cli.options import FILE, experiment_argument, set_option

if TYPE_CHECKING:
    from lensnet.exploration import Exploration

__all__ = ["command"]

# Pairs of equal images that are listed on the terminal; the page lists more.
_LISTED_PAIRS = 10


@click.command("explore", short_help="Show what is in an experiment's data.")
@experiment_argument
@set_option("Override a key, such as data.options.examples_per_class=50.")
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="The page to write. Default: explore-NAME.html in the working directory, NAME being the "
    "experiment's. A page of lensnet's that is there is replaced.",
)
@click.option(
    "--samples",
    type=click.IntRange(0, 100),
    default=8,
    show_default=True,
    help="Images of each class to show.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Which images these are."
)
def command(
    experiment: Path, overrides: tuple[str, ...], output: Path | None, samples: int, seed: int
) -> None:
    """Show what is in the data of EXPERIMENT, a YAML file, before anything is trained on them.

    Counts of each class and split, pixel values, sample images, mean images and profiles,
    duplicates (exact, rotated or reflected) across splits, bad files, and what else the records
    know: the main things here, everything in one HTML file that opens offline. The data are
    prepared first if they are not yet.
    """
    from lensnet import config, files
    from lensnet.cli.places import check_data_dir
    from lensnet.output_files import check_page

    loaded = config.load(experiment, overrides)
    target = output or Path(f"explore-{loaded.name}.html")
    check_page(target)
    files.check_writable(target.absolute().parent, "Name another place with -o.")
    check_data_dir(loaded)

    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    from lensnet.exploration import explore, write_page

    found = explore(loaded, samples=samples, seed=seed)
    page = write_page(found, target)
    _say(found, page)


def _say(found: Exploration, page: Path) -> None:
    """Prints the main things, and where the rest is."""
    from lensnet.cli.results import table
    from lensnet.exploration import content

    for name, value in content.facts(found):
        click.echo(f"{name + ':':<13} {value}")
    parts: list[tuple[str, content.Table | None]] = [
        ("Counts", content.count_table(found)),
        *([("Targets", content.target_table(found))] if found.targets is not None else []),
        ("Pixel values", content.value_table(found)),
        ("Bad files", content.bad_file_table(found)),
        ("Duplicates", content.duplicate_table(found, _LISTED_PAIRS)),
        ("Metadata", content.metadata_table(found)),
    ]
    for title, part in parts:
        click.echo(f"\n{click.style(title, bold=True)}")
        click.echo(table(part.heads, part.rows) if part is not None else "none")
        more = sum(same.count - 1 for same in found.duplicates) - _LISTED_PAIRS
        if title == "Duplicates" and more > 0:
            click.echo(f"and {more} more")
    for warning in content.warnings_of(found):
        click.echo(f"\n{click.style('Warning:', fg='yellow')} {warning}")
    click.echo(f"\nPage: {page}")
