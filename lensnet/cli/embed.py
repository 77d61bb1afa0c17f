"""`lensnet embed`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lensnet.cli.options import FILE, batch_size_option, inputs_argument, run_argument

if TYPE_CHECKING:
    from lensnet.embedding import Embedding

__all__ = ["command"]


@click.command("embed", short_help="Write a network's features of images; look for neighbours.")
@run_argument
@inputs_argument(required=False)
@click.option(
    "-o",
    "--output",
    required=True,
    type=FILE,
    help="The file to write: .npz, or .parquet (pip install 'lensnet[parquet]').",
)
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="In place of INPUTS a split of the run's own data; the map goes into its report, too.",
)
@click.option(
    "--neighbours-of",
    type=FILE,
    metavar="FILE",
    help="List the nearest neighbours of an image file.",
)
@click.option(
    "-k",
    "count",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="How many neighbours and outliers; an outlier is far from its K-th nearest.",
)
@click.option(
    "--outliers", is_flag=True, help="Measure how far each image is from the training images."
)
@click.option("--umap", is_flag=True, help="Also draw a map by UMAP (pip install 'lensnet[umap]').")
@click.option(
    "--page",
    type=FILE,
    metavar="PAGE.html",
    help="Also write a page with the map, the neighbours and the outliers.",
)
@batch_size_option
@click.option("--overwrite", is_flag=True, help="Replace the file if lensnet has written it.")
def command(
    run: Path,
    inputs: tuple[Path, ...],
    output: Path,
    split: str | None,
    neighbours_of: Path | None,
    count: int,
    outliers: bool,
    umap: bool,
    page: Path | None,
    batch_size: int,
    overwrite: bool,
) -> None:
    """Write the features before the head of RUN's best model, a row an image.

    INPUTS are image files, folders and tables as `lensnet predict` takes them; files that cannot be
    used are listed with the reason in OUTPUT's neighbour *.quarantine.csv. The features of a
    symmetric network do not change when an image is rotated.

    \b
    Examples:
        lensnet embed runs/quickstart cutouts/ -o features.npz
        lensnet embed runs/quickstart --split test --outliers -o features.npz
        lensnet embed runs/quickstart cutouts/ --neighbours-of one.fits -o features.npz
    """
    if bool(inputs) == (split is not None):
        raise click.UsageError("Name INPUTS, or --split, one of them.")

    from lensnet.cli.run_report import add_to_report, check_report
    from lensnet.embedding.feature_file import check_feature_file
    from lensnet.embedding.maps import check_umap
    from lensnet.prediction.planning import check_inputs
    from lensnet.reporting.page_output import check_page_output
    from lensnet.run_folder import RunFolder

    folder = RunFolder.open(run)
    folder.check()
    check_feature_file(output, overwrite=overwrite)
    if umap:
        check_umap()
    wanted = [*inputs, *([neighbours_of] if neighbours_of is not None else [])]
    if wanted:
        check_inputs(wanted)
    if page is not None:
        check_page_output(page)
    if split is not None:
        check_report(folder)

    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    from lensnet.embedding import embed_images
    from lensnet.embedding.embedding import Request
    from lensnet.embedding.page import draw_embedding, write_embedding_page

    request = Request(inputs, split, neighbours_of, count, outliers, umap, batch_size)
    found = embed_images(run, request, output, overwrite=overwrite)
    _print(found)
    drawn = draw_embedding(found) if page is not None or split is not None else {}
    if page is not None:
        click.echo(f"Page: {write_embedding_page(found, page, drawn)}")
    if split is not None:
        add_to_report(folder, drawn, "lensnet embed")
    click.echo(f"Written: {output}")


def _print(found: Embedding) -> None:
    """Prints neighbours and outliers."""
    from lensnet.cli.results import table

    for title, near in (("Nearest neighbours", found.neighbours), ("Outliers", found.outliers)):
        if near:
            rows = [[item.name, distance, item.words] for distance, item in near]
            click.echo(click.style(title, bold=True))
            click.echo(table(["image", "distance", "what it is"], rows))
            click.echo()
