"""The page of an exploration: one HTML file that loads nothing and runs nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from lensnet.data.records.index import QUARANTINE
from lensnet.exploration import content, drawing, image_drawing
from lensnet.exploration.exploring import Exploration
from lensnet.output_files import check_page
from lensnet.reporting.embedded_figure import EmbeddedFigure, embed_figure
from lensnet.reporting.metric_guide import whole
from lensnet.reporting.page_output import replace_page
from lensnet.reporting.page_rendering import render_page

__all__ = ["LISTED_PAIRS", "render", "write_page"]

LISTED_PAIRS = 200
"""Pairs of equal images that the page lists; the warnings count all."""


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
    return replace_page(render(found), target)


def render(found: Exploration) -> str:
    """Return the page as HTML."""
    total = sum(same.count - 1 for same in found.duplicates)
    return render_page(
        "exploration.html",
        "lensnet.exploration",
        title=f"{found.experiment.name}: the data",
        chips=_chips(found),
        warnings=content.warnings_of(found),
        known=content.facts(found),
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
    )


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
        key: embed_figure(draw(found), name, caption)
        for key, (name, caption, draw) in drawn.items()
    }
