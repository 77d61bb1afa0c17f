"""The page of an exploration: one HTML file that loads nothing and runs nothing."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from lensnet import files
from lensnet.data.records.index import QUARANTINE
from lensnet.evaluation import style
from lensnet.exploration import content, drawing, image_drawing
from lensnet.exploration.exploring import Exploration
from lensnet.overwriting import check_page
from lensnet.reporting.figure_captions import SCREEN_SCALE, EmbeddedFigure
from lensnet.reporting.metric_guide import whole

__all__ = ["LISTED_PAIRS", "render", "write_page"]

LISTED_PAIRS = 200
"""Pairs of equal images that the page lists; the warnings count all."""

_DOTS_PER_INCH = 160


def write_page(found: Exploration, path: str | os.PathLike[str]) -> Path:
    """Write what was found as one HTML file. A page that is there is replaced, as a whole.

    Figures and style are inside it. Names that the data carry are shown as text.

    Args:
        found: what was found.
        path: where to; its folder is made if need be.

    Returns:
        The path.

    Raises:
        RunError: there is a file of that name that lensnet has not written.
        OSError: it cannot be written.
    """
    target = Path(path)
    check_page(target)
    # Half a surrogate pair, as broken file names have, has no place in UTF-8.
    page = render(found).encode("utf-8", errors="replace")
    target.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(target) as part:
        part.write_bytes(page)
    return target


def render(found: Exploration) -> str:
    """Return the page as HTML."""
    from jinja2 import Environment, StrictUndefined

    from lensnet import __version__

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = cell
    style_sheet = resources.files("lensnet.reporting").joinpath("style.html").read_text("utf-8")
    page = resources.files(__package__ or "lensnet.exploration").joinpath("template.html")
    total = sum(same.count - 1 for same in found.duplicates)
    return environment.from_string(page.read_text("utf-8")).render(
        style=style_sheet,
        title=f"{found.experiment.name}: the data",
        chips=_chips(found),
        warnings=content.warnings_of(found),
        facts=content.facts(found),
        counts=content.count_table(found),
        targets=content.target_table(found),
        values=content.value_table(found),
        metadata=content.metadata_table(found),
        bad_files=content.bad_file_table(found),
        num_bad=len(found.quarantine),
        quarantine=str(found.data.directory / QUARANTINE),
        duplicates=content.duplicate_table(found, LISTED_PAIRS),
        num_pairs=total,
        figures=_figures(found),
        is_regression=found.targets is not None,
        is_one_band=len(found.bands) == 1,
        version=__version__,
    )


def cell(value: Any) -> str:
    """Return a cell as the page shows it.

    Example:
        >>> cell(12000), cell(1.23456e-12), cell(0.0), cell(None), cell("lens")
        ('12\\u202f000', '1.235e-12', '0', '–', 'lens')
    """
    if value is None:
        return "–"
    if isinstance(value, int):
        return whole(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _chips(found: Exploration) -> list[tuple[str, str]]:
    height, width, channels = found.data.native_shape
    return [
        ("data", found.experiment.data.dataset),
        ("task", found.experiment.task),
        ("images", whole(len(found.ids))),
        ("size", f"{height} × {width} × {channels}"),
        ("fingerprint", found.fingerprint),
    ]


def _figures(found: Exploration) -> dict[str, EmbeddedFigure]:
    """Return the figures that there is something for, by name."""
    drawn: dict[str, tuple[str, str, Callable[[Exploration], Figure]]] = {}
    if any(found.survey.samples):
        caption = image_drawing.scale_of_samples(found)
        drawn["samples"] = ("Training images", caption, image_drawing.sample_grid)
    drawn["means"] = (
        "Mean training image",
        "All of a channel on one scale, so that they compare: asinh, linear up to three sigma of "
        "their sky.",
        image_drawing.mean_images,
    )
    drawn["profiles"] = (
        "Radial profile",
        "Mean pixel on rings around the centre of the image. Line: the median training image (of "
        "up to 1,000); shade: the middle 68 %.",
        drawing.radial_profiles,
    )
    drawn["histograms"] = (
        "Pixel values",
        "Of all training images. Left the values of most pixels; right all of them with "
        "logarithmic counts, and where they reach far on an axis that is linear up to the noise "
        "of the sky and logarithmic beyond.",
        drawing.pixel_histograms,
    )
    drawn["numbers"] = (
        "From image to image",
        "Dot: the median image; thick: the middle half of the images; thin: nine tenths. All "
        "splits.",
        drawing.image_numbers,
    )
    if found.targets is not None:
        drawn["targets"] = ("Targets", "By split.", drawing.target_histogram)
    if found.metadata.numbers:
        drawn["metadata"] = (
            "What the records know",
            "The first twelve numbers, of all splits. A network never sees them.",
            drawing.metadata_histograms,
        )
    return {
        key: _embedded(name, caption, draw(found)) for key, (name, caption, draw) in drawn.items()
    }


def _embedded(name: str, caption: str, figure: Figure) -> EmbeddedFigure:
    picture = io.BytesIO()
    with style.styled():
        # No software version inside: the same figure gives the same bytes.
        figure.savefig(picture, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    width, height = (round(inches * _DOTS_PER_INCH) for inches in figure.get_size_inches())
    return EmbeddedFigure(
        name=name,
        caption=caption,
        data_uri="data:image/png;base64," + base64.b64encode(picture.getvalue()).decode("ascii"),
        width=round(width * SCREEN_SCALE),
        height=round(height * SCREEN_SCALE),
    )
