"""Writing the records of a data set, a shard at a time, by one process or by many."""

from __future__ import annotations

import contextlib
import itertools
import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_datasets.core import file_adapters, writer

from lensnet.csv_tables import open_for_writing
from lensnet.data.files.fits_files import without_astropy_warnings
from lensnet.data.records.index import IndexWriter
from lensnet.data.sources.folder_listing import Example
from lensnet.data.sources.source import Loaded, Shape, Source
from lensnet.errors import ConfigurationError
from lensnet.files import replacing

__all__ = ["Shard", "ShardWriter", "even_parts", "pipeline_options", "write_with_beam"]


@dataclass(frozen=True)
class Shard:
    """One file of records, and what is to stand in it.

    Args:
        split: the split that it is a part of.
        path: the file. Beside it lie, for as long as it takes, its part of both indexes.
        examples: its examples, in order.
    """

    split: str
    path: Path
    examples: tuple[Example, ...]

    @property
    def indexes(self) -> tuple[Path, Path]:
        """Where the shard's own lists of good and of bad examples lie."""
        return self._beside("examples.csv"), self._beside("quarantine.csv")

    @property
    def work_item(self) -> Path:
        """Where a worker finds the shard itself."""
        return self._beside("work-item.pickle")

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{ending}")


@dataclass(frozen=True)
class ShardWriter:
    """Loads the examples of a shard, and writes its records and its lists.

    Each file takes its name when it is whole, so that a worker that dies, or two that write the
    same shard, do no harm.

    Args:
        source: where the examples come from.
        image_shape: (H, W, C), which every image must have.
        file_format: the format of the records.
    """

    source: Source
    image_shape: Shape
    file_format: file_adapters.FileFormat

    def write(self, shard: Shard, loading: Iterable[Loaded] | None = None) -> None:
        """Writes a shard.

        Args:
            shard: what to write.
            loading: its examples, where somebody loads them already.
        """
        with contextlib.ExitStack() as stack:
            if loading is None:
                stack.enter_context(without_astropy_warnings())
                loading = stack.enter_context(contextlib.closing(self.source.load(shard.examples)))
            # Without waiting for the disk: what a loss of power cuts short, the manifest tells.
            path, good, bad = (
                stack.enter_context(replacing(name, durable=False))
                for name in (shard.path, *shard.indexes)
            )
            with open_for_writing(good) as good_file, open_for_writing(bad) as bad_file:
                index = IndexWriter(good_file, bad_file, has_targets=not self.source.classes)
                records = self._records(shard, loading, index)
                writer.ExampleWriter(self.file_format).write(path, records)

    def write_work_item(self, path: str) -> None:
        """Writes the shard that lies in a file."""
        # The file is our own, written by `write_with_beam` for just this.
        with open(path, "rb") as file:
            shard = pickle.load(file)
        self.write(shard)

    def _records(
        self, shard: Shard, loading: Iterable[Loaded], index: IndexWriter
    ) -> Iterator[tuple[str, bytes]]:
        numbers = {name: number for number, name in enumerate(self.source.classes)}
        for loaded in loading:
            loaded = loaded.of_shape(self.image_shape, "the others have")
            if loaded.error is not None:
                index.bad(loaded.error.path, loaded.error.reason)
                continue
            index.good(loaded, shard.split)
            example = loaded.example
            label = numbers[str(example.label)] if numbers else None
            yield example.id, _record(loaded, label)


def _record(loaded: Loaded, label: int | None) -> bytes:
    """Returns an example as TFDS's features write it: `image`, `id`, and `label` or `target`.

    Args:
        loaded: the example, with its pixels.
        label: the label's number; None for a regression.
    """
    record = tf.train.Example()
    # Filled in place: a message that is made of others copies them, pixels and all.
    feature = record.features.feature
    feature["id"].bytes_list.value.append(loaded.example.id.encode())
    feature["image"].bytes_list.value.append(np.asarray(loaded.image, "<f4").tobytes())
    if label is not None:
        feature["label"].int64_list.value.append(label)
    else:
        feature["target"].float_list.value.append(loaded.target)
    # The order of a map's entries otherwise follows a hash that differs from process to process.
    return bytes(record.SerializeToString(deterministic=True))


def even_parts(total: int, parts: int) -> Sequence[int]:
    """Splits a number into parts that differ by one at most.

    >>> even_parts(7, 3)
    [2, 2, 3]
    """
    bounds = [total * part // parts for part in range(parts + 1)] if parts else []
    return [high - low for low, high in itertools.pairwise(bounds)]


def write_with_beam(
    shard_writer: ShardWriter, shards: Iterable[Shard], *, runner: Any = None, options: Any = None
) -> None:
    """Writes shards by the workers of an Apache Beam runner, each its own.

    What a worker is to write lies in files beside the records, not in the pipeline, whose size
    runners limit. So the workers must see the directory of the records and the source files under
    the same paths as this process: on one machine they do, on a cluster a shared file system is
    needed.

    Args:
        shard_writer: what each worker does.
        shards: what there is to write.
        runner: a Beam runner or its name; by default what the options say, else the direct runner.
        options: Beam's `PipelineOptions`.

    Raises:
        ConfigurationError: Apache Beam is not installed.
    """
    beam = _beam()
    work_items = []
    for shard in shards:
        with replacing(shard.work_item) as temporary:
            temporary.write_bytes(pickle.dumps(shard))
        work_items.append(shard.work_item)
    with beam.Pipeline(runner=runner, options=options) as pipeline:
        _ = (
            pipeline
            | "Shards" >> beam.Create([str(item) for item in work_items])
            # Without it, a runner may give all of them to the one worker that made the list.
            | "Spread" >> beam.Reshuffle()
            | "Write" >> beam.Map(shard_writer.write_work_item)
        )
    for item in work_items:
        item.unlink()


def pipeline_options(flags: Iterable[str]) -> Any:
    """Returns Beam's options from flags such as `"runner=FlinkRunner"`, with or without dashes.

    Raises:
        ConfigurationError: Apache Beam is not installed.
    """
    _beam()
    from apache_beam.options.pipeline_options import PipelineOptions

    return PipelineOptions([f"--{flag.lstrip('-')}" for flag in flags])


def _beam() -> Any:
    try:
        import apache_beam
    except ImportError:
        raise ConfigurationError(
            "Preparing with Apache Beam needs the package apache-beam: pip install 'lensnet[beam]'."
        ) from None
    return apache_beam
