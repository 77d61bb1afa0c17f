"""A plan of what is to be scored: made in one pass, kept in a folder, read in any order."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lensnet import files
from lensnet.config import Experiment
from lensnet.data.files.file_reader import FileReader
from lensnet.data.files.fits_files import without_astropy_warnings
from lensnet.data.files.mosaics import CutoutSize
from lensnet.data.sources.source import Loaded
from lensnet.data.tiles import Tile
from lensnet.errors import DataError, RunError
from lensnet.prediction.planning.input_kinds import expand
from lensnet.prediction.planning.input_options import InputOptions
from lensnet.prediction.planning.partition_writing import (
    PartitionWriter,
    TileBuckets,
    partition_name,
)
from lensnet.prediction.planning.plan_loading import PlanLoader
from lensnet.prediction.planning.planned_rows import PlannedRows
from lensnet.prediction.planning.row_table import CARRIED
from lensnet.progress import track

__all__ = ["PLAN", "Plan", "input_entries", "plan"]

_log = logging.getLogger(__name__)

PLAN = "plan.json"
"""The file that makes a folder of partitions a plan."""

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be scored, in partitions.

    Args:
        folder: where the partitions lie.
        content: what `plan.json` says.
        experiment: the run's, which says how files are read.
    """

    folder: Path
    content: Mapping[str, Any]
    experiment: Experiment

    @classmethod
    def open(cls, folder: str | Path) -> Plan:
        """Opens a plan.

        Raises:
            RunError: there is no whole plan in the folder, or of another version of lensnet.
        """
        path = Path(folder) / PLAN
        try:
            content = json.loads(path.read_text("utf-8"))
            if content["kind"] != "plan" or content["format"] != _FORMAT:
                raise RunError(f"{path} is of another version of lensnet: start anew.")
            experiment = Experiment.model_validate(content["experiment"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{folder} holds no whole plan of a prediction.") from error
        return cls(Path(folder), content, experiment)

    @property
    def partitions(self) -> int:
        """How many partitions there are."""
        return len(self.content["partitions"])

    @property
    def lengths(self) -> Sequence[int]:
        """The rows of each partition."""
        return [int(length) for length in self.content["partitions"]]

    @property
    def rows(self) -> int:
        """How many rows there are in all."""
        return sum(self.lengths)

    @property
    def origin(self) -> Mapping[str, Any]:
        """What was said of where it comes from: the run, its model."""
        found: Mapping[str, Any] = self.content["origin"]
        return found

    @functools.cached_property
    def tiles(self) -> Sequence[Tile]:
        """The tiles of the mosaics."""
        return [Tile.from_dict(tile) for tile in self.content["tiles"]]

    @property
    def native_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the images."""
        height, width, channels = self.content["native_shape"]
        return height, width, channels

    @property
    def schema(self) -> pa.Schema:
        """The columns of a partition."""
        return pq.read_schema(self.folder / partition_name(0)).remove_metadata()

    @property
    def carried(self) -> pa.Schema:
        """The columns of the tables among the inputs, by their own names, with their units."""
        return pa.schema(
            field.with_name(field.name.removeprefix(CARRIED))
            for field in self.schema
            if field.name.startswith(CARRIED)
        )

    def partition(self, number: int) -> pa.Table:
        """Returns the rows of a partition.

        Raises:
            RunError: it cannot be read.
        """
        path = self.folder / partition_name(number)
        try:
            return pq.read_table(path, partitioning=None)
        except (OSError, pa.ArrowInvalid) as error:
            raise RunError(f"{path} cannot be read ({error}): start anew.") from error

    def load(self, rows: pa.Table, *, ahead: int = 128) -> Iterator[Loaded]:
        """Yields the image of each row, or why there is none, in the order of the rows.

        They are read ahead by threads. Each tile is opened once; the last one stays open for the
        partition that follows.

        Args:
            rows: a partition, or some of its rows.
            ahead: how many images may wait.
        """
        with without_astropy_warnings(), contextlib.closing(self._loader.load(rows, ahead)) as all_:
            for loaded in all_:
                yield loaded.of_shape(self.native_shape, "the network takes")

    @functools.cached_property
    def _loader(self) -> PlanLoader:
        pixels, arcsec = self.content["size"] or (None, None)
        return PlanLoader(
            FileReader.from_options(self.experiment.dataset_options),
            self.tiles,
            self.content["stacks"],
            CutoutSize(pixels, arcsec) if self.content["size"] else None,
            Path(self.content["directory"]),
            getattr(self.experiment.dataset_options, "shape", None),
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out what is open: a worker opens it for itself."""
        return {key: value for key, value in self.__dict__.items() if key != "_loader"}


def plan(
    experiment: Experiment,
    native_shape: tuple[int, int, int],
    inputs: Sequence[str | os.PathLike[str]],
    folder: str | Path,
    *,
    rows: int = 8192,
    by_tile: bool = True,
    options: InputOptions | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Plan:
    """Lists all that is to be scored, in one pass and flat memory.

    Args:
        experiment: the run's, by which files are read as in training.
        native_shape: (H, W, C) of the images that the network takes.
        inputs: files, folders, patterns, lists, stacks and tables; see the package.
        folder: where the plan goes; partitions and plan of before are removed from it.
        rows: in a partition, about.
        by_tile: whether positions on mosaics are brought together by tile; else rows keep their
            order, and a tile may be opened many times.
        options: what the user says of the inputs.
        origin: what the plan keeps of where it comes from: the run, its model's hash.

    Raises:
        DataError: an input does not exist, is none of what is known, lacks what is needed, or they
            hold no row at all.
        ConfigurationError: the options contradict the run.
    """
    experiment = experiment.reading
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _clear(folder)
    with without_astropy_warnings():
        planned = PlannedRows(experiment, native_shape, inputs, options or InputOptions())
        writer, repeated = _write(planned, folder, rows, by_tile=by_tile)
    if not writer.lengths:
        raise DataError("There is nothing to score: the inputs name no image.")
    if repeated:
        _log.warning(
            "%d rows have an id that another row has, too: each is scored; column `row` or the "
            "position tells them apart.",
            repeated,
        )
    content = {
        "kind": "plan",
        "format": _FORMAT,
        "lensnet": version("lensnet"),
        "origin": dict(origin or {}),
        "directory": os.getcwd(),
        "experiment": experiment.model_dump(mode="json"),
        "native_shape": list(native_shape),
        "size": None if planned.size is None else [planned.size.pixels, planned.size.arcsec],
        "inputs": input_entries(inputs),
        "partitions": writer.lengths,
        "tiles": [tile.to_dict() for tile in planned.tiles],
        "stacks": planned.stacks,
        "carried": [
            {
                "name": field.name,
                "type": str(field.type),
                **{key.decode(): text.decode() for key, text in (field.metadata or {}).items()},
            }
            for field in planned.carried
        ],
    }
    files.write_json(folder / PLAN, content)
    return Plan.open(folder)


def input_entries(inputs: Sequence[str | os.PathLike[str]]) -> list[list[Any]]:
    """Returns the path, size and time of each input, by which changed ones are known.

    Of a folder it is its own, not that of what lies in it.

    Raises:
        DataError: one does not exist.
    """
    found: list[list[Any]] = []
    for path in expand(inputs):
        name = str(path).removeprefix("@") if not os.path.lexists(path) else str(path)
        try:
            status = os.stat(name)
        except OSError:
            found.append([str(path), None, None])
        else:
            found.append([str(path), status.st_size, status.st_mtime_ns])
    return found


def _clear(folder: Path) -> None:
    """Removes a plan of before, what makes it one first."""
    (folder / PLAN).unlink(missing_ok=True)
    for pattern in ("rows-*.parquet", "buckets/bucket-*.arrow"):
        for path in folder.glob(pattern):
            path.unlink()
    if (folder / "buckets").is_dir():
        (folder / "buckets").rmdir()


def _write(
    planned: PlannedRows, folder: Path, rows: int, *, by_tile: bool
) -> tuple[PartitionWriter, int]:
    """Writes the partitions; returns what wrote them, and how many rows repeat an id."""
    writer = PartitionWriter(folder, rows)
    buckets: TileBuckets | None = None
    ids: list[np.ndarray] = []
    try:
        pieces = track(planned.pieces(), "Listing what is to be scored", count=len)
        for piece in pieces:
            ids.append(np.fromiter(map(hash, piece["id"].to_pylist()), np.int64, len(piece)))
            is_placed = piece["tile"].is_valid()
            if by_tile and piece["tile"].null_count < len(piece):
                buckets = buckets or TileBuckets(
                    folder / "buckets", planned.schema, len(planned.tiles)
                )
                buckets.add(piece.filter(is_placed))
                piece = piece.filter(piece["tile"].is_null())
            writer.add(piece)
        writer.flush()
        if buckets is not None:
            buckets.write_to(writer)
    except BaseException:
        if buckets is not None:
            buckets.close()
        raise
    numbers = np.concatenate(ids) if ids else np.empty(0, np.int64)
    return writer, len(numbers) - len(np.unique(numbers))
