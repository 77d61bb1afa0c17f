"""Embedding images: their pooled features into a file, and what is near, far and how they lie."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lensnet.csv_tables import name_as_text
from lensnet.embedding.feature_file import FeatureFile, check_feature_file
from lensnet.embedding.feature_model import Embedder, Features
from lensnet.embedding.maps import Sample, check_umap
from lensnet.embedding.nearest import Closest, distance_to_kth, distances, unit_length
from lensnet.errors import DataError
from lensnet.prediction.bad_inputs import nothing_usable, write_quarantine
from lensnet.prediction.image_batches import ImageBatch, images_of_inputs, images_of_split
from lensnet.prediction.planning import Input
from lensnet.progress import track

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["SPLITS", "Embedding", "Near", "Request", "embed_images"]

_log = logging.getLogger(__name__)

SPLITS = ("train", "validation", "test")

# Training images that outliers are measured from: a hundredth of ImageNet, which Sun et al. 2022
# (section 5) find enough.
_REFERENCE = 12_000
# A map of more shows no more.
_ON_MAP = 10_000


class Near(NamedTuple):
    """An image near another, or far from all.

    Args:
        name: its file, or its name in the records.
        image: (H, W, C), raw.
        words: what is known of it.
    """

    name: str
    image: np.ndarray
    words: str


@dataclass(frozen=True)
class Request:
    """What to embed, and what to look for.

    Args:
        inputs: files, folders and tables.
        split: in their place a split of the run's own records.
        neighbours_of: an image file whose nearest neighbours are looked for.
        count: how many neighbours and outliers.
        outliers: whether the distance to the training images is measured.
        umap: whether a map by UMAP is wanted, beside that of principal components.
        batch_size: images at once.
    """

    inputs: Sequence[str | Path] = ()
    split: str | None = None
    neighbours_of: Path | None = None
    count: int = 10
    outliers: bool = False
    umap: bool = False
    batch_size: int = 64

    def __post_init__(self) -> None:
        if bool(self.inputs) == (self.split is not None):
            raise ValueError("either inputs or a split is embedded")


@dataclass
class Embedding:
    """What has been embedded.

    Args:
        images: how many.
        dimensions: features of each.
        request: what was asked for.
        embedder: of the run.
        sample: features, groups and targets of the images on the map, at most 10,000.
        query: the image whose neighbours were looked for.
        neighbours: of it, the nearest first, with their distances.
        outliers: the farthest from the training images first, with their distances.
        reference: training images from which these are.
        bad: inputs that hold no usable image.
    """

    images: int
    dimensions: int
    request: Request
    embedder: Embedder
    sample: tuple[np.ndarray, np.ndarray]
    query: Near | None = None
    neighbours: list[tuple[float, Near]] = field(default_factory=list)
    outliers: list[tuple[float, Near]] = field(default_factory=list)
    reference: int = 0
    bad: list[Input] = field(default_factory=list)

    @property
    def is_labelled(self) -> bool:
        """Whether the map shows what is true of the images, not what the network says."""
        return self.request.split is not None


class _Reference(NamedTuple):
    """Training images, of unit length, with their names."""

    features: np.ndarray
    ids: np.ndarray


def embed_images(
    run_dir: str | Path, request: Request, output: str | Path, *, overwrite: bool = False
) -> Embedding:
    """Writes the pooled features of images, and looks among them for what was asked.

    The file holds a row an image: `id`, `file` (of inputs), `label` or `target` (of a split),
    `predicted` (of a classifier), scores, `filled_pixels` (of inputs), `outlier_distance` if asked
    for, and `features`. In .npz `scores` are one array whose columns `score_names` names, in
    .parquet a column each. Beside it, files that cannot be used are listed with their reason in
    `*.quarantine.csv`. Images and features are gone through batch by batch.

    Args:
        run_dir: the run folder.
        request: what to embed.
        output: ends with .npz or .parquet.
        overwrite: replace the file if lensnet has written it.

    Raises:
        ConfigurationError: the run's model has no pooled layer, a package is missing, or the output
            is of another kind.
        RunError: there is no such run, it is an ensemble, or the output exists.
        DataError: an input does not exist, not one image can be used, or the run's records are
            gone and asked for; then nothing is written.
    """
    path = Path(output)
    check_feature_file(path, overwrite=overwrite)
    if request.umap:
        check_umap()
    embedder = Embedder.open(run_dir)
    data = _records(run_dir) if request.split is not None or request.outliers else None
    reference = _reference(embedder, data, request) if request.outliers and data else None
    query = None if request.neighbours_of is None else _query(embedder, request.neighbours_of)
    source = str(run_dir) if request.split is None else f"{run_dir}: {request.split}"
    written = FeatureFile(path, embedder.predictor.score_names, {"run": source})
    search = _Search(embedder, request, query, reference)
    with written.writing() as writer:
        batches = _batches(embedder, data, request)
        for batch in track(batches, "Embedding images", count=len):
            search.bad += batch.bad
            if len(batch):
                found = embedder(batch.images)
                distance = search.look_at(batch, found)
                writer.write(
                    _columns(embedder, batch, found, distance), found.scores, found.features
                )
        if not search.sample.seen:
            raise nothing_usable(embedder.predictor.experiment, search.bad)
    write_quarantine(path.with_suffix(".quarantine.csv"), search.bad)
    result = search.result()
    _log.info("%d images, %d features each: %s", result.images, result.dimensions, path)
    return result


class _Search:
    """Looks at batches as they come by."""

    def __init__(
        self,
        embedder: Embedder,
        request: Request,
        query: tuple[Near, np.ndarray] | None,
        reference: _Reference | None,
    ):
        self.embedder, self.request = embedder, request
        self.query, self.reference = query, reference
        self.near, self.far = Closest(request.count), Closest(request.count)
        self.sample = Sample(_ON_MAP)
        self.bad: list[Input] = []

    def look_at(self, batch: ImageBatch, found: Features) -> np.ndarray | None:
        """Looks at a batch, and returns the distances to the training images."""
        names = batch.files or batch.ids
        self.sample.add(found.features, _shown(self.embedder, batch, found))
        items = [
            Near(name, image, _words(self.embedder, batch, row, found.scores[row]))
            for row, (name, image) in enumerate(zip(names, batch.images, strict=True))
        ]
        if self.query is not None:
            near, features = self.query
            keys = distances(features, unit_length(found.features))[0]
            if batch.files is not None:  # it is no neighbour of its own
                keys = np.where(np.array(batch.files) == near.name, np.nan, keys)
            self.near.add(keys, items)
        if self.reference is None:
            return None
        same = None
        if self.request.split == "train":
            same = np.array(batch.ids)[:, None] == self.reference.ids
        k = self.request.count
        distance = distance_to_kth(found.features, self.reference.features, k, same)
        self.far.add(-distance, items)
        return distance

    def result(self) -> Embedding:
        """Returns all that was found."""
        features, shown = self.sample.columns()
        return Embedding(
            images=self.sample.seen,
            dimensions=features.shape[1],
            request=self.request,
            embedder=self.embedder,
            sample=(features, shown),
            query=None if self.query is None else self.query[0],
            neighbours=self.near.found,
            outliers=[(-key, item) for key, item in self.far.found],
            reference=0 if self.reference is None else len(self.reference.ids),
            bad=self.bad,
        )


def _records(run_dir: str | Path) -> PreparedData:
    from lensnet.evaluation.run_opening import open_run_data
    from lensnet.run_folder import RunFolder

    return open_run_data(RunFolder.open(run_dir))


def _batches(
    embedder: Embedder, data: PreparedData | None, request: Request
) -> Iterator[ImageBatch]:
    if request.split is not None and data is not None:
        return images_of_split(data, request.split, request.batch_size)
    return images_of_inputs(embedder.predictor, request.inputs, request.batch_size)


def _reference(embedder: Embedder, data: PreparedData, request: Request) -> _Reference:
    """Embeds the training images, evenly chosen where they are many."""
    ids = data.examples("train").ids
    chosen = np.unique(np.linspace(0, len(ids) - 1, min(len(ids), _REFERENCE)).astype(np.int64))
    parts = np.array_split(chosen, -(-len(chosen) // request.batch_size))
    features = [
        unit_length(embedder(data.raw_images("train", part)).features)
        for part in track(parts, "Embedding training images", total=len(chosen), count=len)
    ]
    return _Reference(np.concatenate(features), ids[chosen])


def _query(embedder: Embedder, path: Path) -> tuple[Near, np.ndarray]:
    for batch in images_of_inputs(embedder.predictor, [path], 2):
        if batch.bad:
            raise batch.bad[0].error or DataError(f"{path} holds no image.")
        if len(batch) != 1:
            raise DataError(f"--neighbours-of takes one image, and {path} holds several.")
        found = embedder(batch.images)
        words = _words(embedder, batch, 0, found.scores[0])
        name = (batch.files or batch.ids)[0]
        return Near(name, batch.images[0], words), unit_length(found.features)
    raise DataError(f"{path} holds no image.")


def _columns(
    embedder: Embedder, batch: ImageBatch, found: Features, distance: np.ndarray | None
) -> dict[str, list[str] | np.ndarray]:
    """Returns what stands beside the features."""
    predictor = embedder.predictor
    columns: dict[str, list[str] | np.ndarray] = {"id": [name_as_text(name) for name in batch.ids]}
    if batch.files is not None:
        columns["file"] = batch.files
    truth = batch.truth(predictor)
    if truth is not None:
        columns[predictor.columns.truth] = truth
    if predictor.classes:
        columns["predicted"] = [predictor.classes[at] for at in found.scores.argmax(axis=1)]
    if batch.filled is not None:
        columns["filled_pixels"] = batch.filled
    if distance is not None:
        columns["outlier_distance"] = distance
    return columns


def _shown(embedder: Embedder, batch: ImageBatch, found: Features) -> np.ndarray:
    """Returns by what the images are coloured: class index or target, true or predicted."""
    if batch.labels is not None:
        return np.asarray(batch.labels, np.float64)
    if embedder.predictor.classes:
        return found.scores.argmax(axis=1).astype(np.float64)
    return found.scores[:, 0].astype(np.float64)


def _words(embedder: Embedder, batch: ImageBatch, row: int, scores: np.ndarray) -> str:
    predictor = embedder.predictor
    cells = predictor.columns.cells(scores)
    given = f"{cells[0]} {scores.max():.2f}" if predictor.classes else f"{scores[0]:.4g}"
    truth = batch.truth(predictor)
    if truth is None:
        return f"given: {given}"
    known = truth[row] if isinstance(truth[row], str) else f"{truth[row]:.4g}"
    return f"true: {known}, given: {given}"
