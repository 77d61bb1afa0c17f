"""`lensnet selection`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lensnet.cli.options import PATH, run_argument

if TYPE_CHECKING:
    from lensnet.selection.measuring import Measured

__all__ = ["command"]


@click.command("selection", short_help="Paint arcs into your galaxies and see which are found.")
@run_argument
@click.option(
    "--galaxies",
    required=True,
    multiple=True,
    type=PATH,
    help="A folder or file of images of galaxies. Repeatable.",
)
@click.option("-o", "--output", required=True, type=PATH, help="The folder to write.")
@click.option("--pixel-scale", required=True, type=float, metavar="ARCSEC", help="Side of a pixel.")
@click.option(
    "--zero-point",
    "zero_points",
    required=True,
    multiple=True,
    type=float,
    help="AB magnitude of a source whose pixels add up to 1; one for all bands, or repeated.",
)
@click.option(
    "--psf",
    "psf",
    required=True,
    multiple=True,
    metavar="PSF",
    help="The point spread function: full width at half maximum in arcseconds, an image of it, or "
    "a folder of images of stars; one for all bands, or repeated.",
)
@click.option(
    "--gain",
    "gains",
    multiple=True,
    type=float,
    help="Electrons that stand for 1 in a pixel (for rates, times the exposure), for the arcs' own "
    "noise; one for all bands, or repeated. [default: arcs without noise]",
)
@click.option(
    "--einstein-radius",
    nargs=2,
    type=float,
    default=(0.7, 2.5),
    show_default=True,
    metavar="ARCSEC",
)
@click.option(
    "--source-magnitude",
    nargs=2,
    type=float,
    default=(22.0, 26.0),
    show_default=True,
    help="Of the unlensed source in the first band.",
)
@click.option(
    "--signal-to-noise",
    nargs=2,
    type=float,
    help="Of the arc, over all pixels: sources are made as bright as that asks for.",
)
@click.option(
    "--color",
    "colors",
    multiple=True,
    type=float,
    help="Magnitude of sources in each further band less that in the first. [default: 0]",
)
@click.option(
    "--grid",
    type=click.IntRange(2, 50),
    metavar="CELLS",
    help="Go through a grid of CELLS x CELLS, in place of random draws.",
)
@click.option("--arcs", type=click.IntRange(1, 100), default=1, show_default=True, help="A galaxy.")
@click.option(
    "--threshold",
    metavar="SCORE|FILE",
    help="What is found: a score, or what `lensnet threshold` has written.",
)
@click.option("--class", "class_name", help="The class of lenses. [default: the second of two]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--images/--no-images", default=True, help="Whether the test set is written.")
@click.option("--overwrite", is_flag=True, help="Replace a folder that lensnet has written.")
def command(run: Path, output: Path, overwrite: bool, **options: Any) -> None:
    """Paint simulated arcs into images of your own galaxies, score them by the best model of RUN,
    and write the share that is found over Einstein radius, flux and signal to noise.

    The images are read as `lensnet predict` reads them, with a galaxy in the middle of each; they
    keep their own sky and noise. Writes completeness.csv, arcs.csv, figures, report.html and
    images/, a test set for the data set image_folder: the galaxies as negatives, and the same with
    arcs as positives, which `lensnet evaluate RUN --data OUTPUT/data.yaml` measures. Images that
    cannot be used are listed in left_out.csv.

    \b
    Example:
        lensnet selection runs/survey --galaxies cutouts/ -o selection --pixel-scale 0.2 \\
            --zero-point 25.6 --gain 1800 --psf 0.7
    """
    from lensnet.run_folder import RunFolder
    from lensnet.selection.folder import check_folder

    folder = RunFolder.open(run)
    folder.check()
    check_folder(output, overwrite=overwrite)
    request = _request(folder, options)

    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    from lensnet.selection.from_run import selection_of_run

    _print(selection_of_run(folder, request, output), output)


def _request(folder: Any, options: dict[str, Any]) -> Any:
    """What is asked, checked before TensorFlow is started."""
    from lensnet.errors import ConfigurationError
    from lensnet.prediction.planning import check_inputs
    from lensnet.purity.samples import class_looked_for
    from lensnet.selection.arcs import ArcRanges
    from lensnet.selection.measuring import Request
    from lensnet.selection.painting import Photometry
    from lensnet.selection.point_spread import read_kernels

    data, scale = folder.read_data(), options["pixel_scale"]
    if not scale > 0:
        raise ConfigurationError(f"--pixel-scale must be above 0; got {scale:g}.")
    height, width, bands = data.native_shape
    ranges = ArcRanges(
        options["einstein_radius"],
        options["source_magnitude"],
        options["signal_to_noise"] or None,
        colors=options["colors"],
        cells=options["grid"],
    )
    seen = data.preprocessing.crop
    height, width = (height, width) if seen is None else (seen, seen)
    if ranges.reach_arcsec > min(height, width) * scale / 2:
        raise ConfigurationError(
            f"Images of {height} x {width} pixels of {scale:g} arcsec do not hold arcs of an "
            f"Einstein radius of {ranges.einstein_radius_arcsec[1]:g} arcsec, which reach "
            f"{ranges.reach_arcsec:.3g} arcsec from the middle. Set --einstein-radius lower."
        )
    photometry = Photometry.of_bands(
        bands,
        scale,
        options["zero_points"],
        options["gains"] or (math.inf,),
        read_kernels(options["psf"], scale, bands),
    )
    check_inputs(options["galaxies"])
    return Request(
        options["galaxies"],
        photometry,
        ranges,
        class_looked_for(data.classes, options["class_name"]),
        _threshold(options["threshold"]),
        options["arcs"],
        options["seed"],
        options["images"],
    )


def _threshold(text: str | None) -> float | None:
    """A score, or that in a file of `lensnet threshold`."""
    from lensnet.errors import ConfigurationError
    from lensnet.run_documents import read_json

    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        content = read_json(Path(text))
    except FileNotFoundError:
        raise ConfigurationError(f"--threshold {text} is neither a score nor a file.") from None
    found = content.get("threshold") if isinstance(content, dict) else None
    if not isinstance(found, int | float):
        raise ConfigurationError(f"{text} has no threshold: `lensnet threshold` has refused it.")
    return float(found)


def _print(measured: Measured, output: Path) -> None:
    from lensnet.cli.results import table

    rows = [
        [
            name,
            f"{threshold:.7g}",
            float((measured.galaxy_scores >= threshold).mean()),
            float(measured.found[name].mean()),
        ]
        for name, threshold in measured.criteria.items()
    ]
    click.echo(table(["criterion", "threshold", "galaxies that pass", "arcs found"], rows))
    click.echo(f"Report: {output / 'report.html'}")
