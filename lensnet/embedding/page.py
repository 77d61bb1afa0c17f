"""What an embedding looks like: figures for the run's report, or a page of its own."""

from __future__ import annotations

import logging
from pathlib import Path

from matplotlib.figure import Figure

from lensnet.csv_tables import name_as_text
from lensnet.embedding.drawing import feature_map, image_strip
from lensnet.embedding.embedding import Embedding, Near
from lensnet.embedding.maps import FeatureMap, principal_components, umap_map
from lensnet.evaluation import style
from lensnet.reporting.embedded_figure import EmbeddedFigure, embed_figure
from lensnet.reporting.figure_captions import CAPTIONS
from lensnet.reporting.page_of_parts import Part, render_parts
from lensnet.reporting.page_output import write_page
from lensnet.reporting.tables import Table

__all__ = ["draw_embedding", "write_embedding_page"]

_log = logging.getLogger(__name__)

_LISTED_BAD = 200


def draw_embedding(found: Embedding) -> dict[str, Figure]:
    """Draws the maps and the outliers, by the names of their files in `figures/`."""
    drawn = {}
    features, shown = found.sample
    classes = found.embedder.predictor.classes
    if classes:
        what = "True class" if found.is_labelled else "Class given"
    else:
        what = f"{'Target' if found.is_labelled else 'Prediction'} (the data's unit)"
    makers = {"embedding_map": principal_components}
    if found.request.umap:
        makers["embedding_umap"] = umap_map
    for name, make in makers.items():
        try:
            points: FeatureMap = make(features)
        except ValueError as error:
            _log.warning("There is no map: %s.", error)
            break
        drawn[name] = feature_map(points, shown, classes, what, found.images)
    if found.outliers:
        drawn["embedding_outliers"] = _strip(
            found.outliers,
            f"Farthest from {found.reference} training images, {len(found.outliers)} of "
            f"{style.counted(found.images)}",
        )
    return drawn


def write_embedding_page(
    found: Embedding, path: str | Path, drawn: dict[str, Figure] | None = None
) -> Path:
    """Writes an embedding as one HTML file that loads nothing and runs nothing.

    Args:
        found: what was found.
        path: where to.
        drawn: what `draw_embedding` has drawn of it; None to draw it.

    Raises:
        RunError: there is a file of that name that lensnet has not written.
    """
    figures = draw_embedding(found) if drawn is None else drawn
    maps = [name for name in figures if name != "embedding_outliers"]
    parts = [
        Part("Map", figures=tuple(_embedded(name, figures[name]) for name in maps)),
        _neighbour_part(found),
        _outlier_part(found, figures),
        _bad_part(found),
    ]
    run = found.embedder.predictor.experiment
    source = found.request.split or "files"
    chips = [
        ("run", run.name),
        ("images", f"{source}, {found.images}"),
        ("features", str(found.dimensions)),
    ]
    return write_page(render_parts(f"{run.name}: embedding", chips, parts), Path(path))


def _neighbour_part(found: Embedding) -> Part:
    if found.query is None:
        return Part("Nearest neighbours")
    rows = _rows(found.neighbours)
    note = (
        f"Of {style.counted(found.images)} those whose pooled features are nearest to those of "
        f"{found.query.name}: Euclidean distance of features of unit length, from 0 to 2."
    )
    heading = f"The image asked for, and its nearest of {style.counted(found.images)}"
    strip = _strip([(0.0, found.query), *found.neighbours], heading, first="asked for")
    caption = "The network's nearest neighbours of the first image, with their distances."
    figure = embed_figure(strip, "Nearest neighbours", caption)
    return Part(
        "Nearest neighbours",
        Table(["Image", "Distance", "What it is"], rows),
        note,
        (figure,),
        "values",
    )


def _outlier_part(found: Embedding, figures: dict[str, Figure]) -> Part:
    if "embedding_outliers" not in figures:
        return Part("Outliers")
    note = (
        f"Distance to the {min(found.request.count, found.reference)}th nearest of "
        f"{found.reference} training images; {CAPTIONS['embedding_outliers'][1]}"
    )
    return Part(
        "Outliers",
        Table(["Image", "Distance", "What it is"], _rows(found.outliers)),
        note,
        (_embedded("embedding_outliers", figures["embedding_outliers"]),),
        "values",
    )


def _bad_part(found: Embedding) -> Part:
    if not found.bad:
        return Part("Bad files")
    rows = [
        [name_as_text(item.path), item.error.reason if item.error else ""]
        for item in found.bad[:_LISTED_BAD]
    ]
    more = len(found.bad) - len(rows)
    note = f"{more} more are in the quarantine beside the features." if more else ""
    return Part("Bad files", Table(["File", "Reason"], rows), note)


def _rows(near: list[tuple[float, Near]]) -> list[list[str]]:
    return [[item.name, f"{distance:.4g}", item.words] for distance, item in near]


def _strip(near: list[tuple[float, Near]], heading: str, first: str | None = None) -> Figure:
    titles: list[list[str]] = []
    for distance, item in near:
        told = first if first is not None and not titles else f"distance {distance:.3g}"
        titles.append([style.short_name(item.name, 26), *item.words.split(", "), told])
    return image_strip([item.image for _, item in near], titles, heading)


def _embedded(name: str, figure: Figure) -> EmbeddedFigure:
    return embed_figure(figure, *CAPTIONS[name])
