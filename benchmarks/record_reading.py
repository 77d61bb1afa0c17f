"""Reading records in order and by position: TFRecord, as prepared data have it, and ArrayRecord.

python benchmarks/record_reading.py [--images 2000] [--rounds 5]
                                    [--output benchmarks/results/record_reading.json]

The records are those of 150x150 float32 images of noise, in shards of 16 MiB as preparation writes
them, in a temporary directory and so in the page cache. In order, all are read in batches of 64 by
tf.data and decoded: `tf.data` reads TFRecord files itself; ArrayRecord has no such kernel, and
batches come from Python. By position, as `data.balance: balanced` needs it of a split that does not
fit into memory, batches of 64 random records are fetched: our own look-up of where each lies
(`lensnet.data.records.records.Records.fetch`), ArrayRecord's reader, and `tfds.data_source`'s way,
a record at a time. Contenders take turns; ratios are medians over the rounds.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from command_line import benchmark_parser, selected
from reporting import Results, environment, print_table
from timing import ratio, take_turns

from lensnet.data.records.records import Records, without_autotune

SIZE, BATCH, SHARD = 150, 64, 186


def serialized_images(count: int) -> Iterator[bytes]:
    """Yields records of noise, as preparation writes them."""
    random = np.random.default_rng(0)
    for index in range(count):
        record = tf.train.Example()
        feature = record.features.feature
        feature["id"].bytes_list.value.append(f"a/{index}".encode())
        pixels = random.random((SIZE, SIZE), np.float32)
        feature["image"].bytes_list.value.append(pixels.tobytes())
        feature["label"].int64_list.value.append(index % 2)
        yield record.SerializeToString(deterministic=True)


def write(directory: Path, count: int) -> tuple[Records, list[list[str]]]:
    """Writes the same records as TFRecord, as ArrayRecord and as uncompressed ArrayRecord."""
    paths: list[list[str]] = [[], [], []]
    lengths = []
    records = serialized_images(count)
    for shard, start in enumerate(range(0, count, SHARD)):
        names = [str(directory / f"{kind}-{shard}") for kind in ("tf", "array", "plain")]
        writers = [
            tf.io.TFRecordWriter(names[0]),
            ArrayRecordWriter(names[1], "group_size:1"),
            ArrayRecordWriter(names[2], "group_size:1,uncompressed"),
        ]
        lengths.append(min(SHARD, count - start))
        for _ in range(lengths[-1]):
            content = next(records)
            for writer in writers:
                writer.write(content)
        for writer in writers:
            writer.close()
        for of_kind, name in zip(paths, names, strict=True):
            of_kind.append(name)
    takes = np.array(lengths, np.int64)
    nothing = np.zeros(count, object)
    shape = (SIZE, SIZE, 1)
    return Records(tuple(paths[0]), 0 * takes, takes, nothing, nothing, shape), paths


class ArrayRecords:
    """Records in ArrayRecord files, by position or in order."""

    def __init__(self, paths: list[str], starts: np.ndarray):
        self.readers = [ArrayRecordReader(path) for path in paths]
        self.starts = starts

    def fetch(self, positions: np.ndarray) -> np.ndarray:
        """Returns records by their positions, those of a shard by one call."""
        shards = np.searchsorted(self.starts, positions, side="right") - 1
        found = np.empty(len(positions), object)
        for shard in np.unique(shards):
            here = np.flatnonzero(shards == shard)
            rows = (positions[here] - self.starts[shard]).tolist()
            found[here] = self.readers[shard].read(rows)
        return found

    def fetch_one_by_one(self, positions: np.ndarray) -> np.ndarray:
        """Returns records by their positions, each by a call of its own."""
        found = np.empty(len(positions), object)
        for at, position in enumerate(positions):
            shard = int(np.searchsorted(self.starts, position, side="right")) - 1
            (found[at],) = self.readers[shard].read([int(position - self.starts[shard])])
        return found


def seconds_of(dataset: tf.data.Dataset) -> float:
    """Returns how long it takes to go through a dataset."""
    start = time.perf_counter()
    for _ in without_autotune(dataset.prefetch(2)):
        pass
    return time.perf_counter() - start


def by_position(
    records: Records, fetch: Callable[[tf.Tensor], tf.Tensor], order: np.ndarray
) -> tf.data.Dataset:
    """Returns batches of images in an order."""
    batches = tf.data.Dataset.from_tensor_slices(order).batch(BATCH)
    return batches.map(lambda at: records.decode(fetch(at)), num_parallel_calls=2)


def through_python(fetch: Callable[[np.ndarray], np.ndarray]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns what lets tf.data call a function of NumPy."""

    def call(positions: tf.Tensor) -> tf.Tensor:
        found = tf.numpy_function(fetch, [positions], tf.string, stateful=False)
        return tf.ensure_shape(found, positions.shape)

    return call


def main() -> None:
    """Measures, prints and writes."""
    parser = benchmark_parser(__doc__, "record_reading.json", 5)
    parser.add_argument("--images", type=int, default=2000)
    arguments = parser.parse_args()
    cells = selected(("in order", "by position"), arguments)
    with tempfile.TemporaryDirectory() as directory:
        records, (_, array, plain) = write(Path(directory), arguments.images)
        compressed = ArrayRecords(array, records.starts)
        uncompressed = ArrayRecords(plain, records.starts)
        in_order = np.arange(arguments.images, dtype=np.int64)
        shuffled = np.random.default_rng(0).permutation(in_order)
        ours, theirs = records.fetch, through_python(uncompressed.fetch)
        datasets: dict[str, Any] = {
            "in order, TFRecord by tf.data": records.read()
            .batch(BATCH)
            .map(lambda serialized, _: records.decode(serialized), num_parallel_calls=2),
            "in order, ArrayRecord": by_position(
                records, through_python(compressed.fetch), in_order
            ),
            "in order, ArrayRecord uncompressed": by_position(records, theirs, in_order),
            "by position, TFRecord by struct": by_position(records, ours, shuffled),
            "by position, ArrayRecord": by_position(
                records, through_python(compressed.fetch), shuffled
            ),
            "by position, ArrayRecord uncompressed": by_position(records, theirs, shuffled),
            "by position, ArrayRecord one by one": by_position(
                records, through_python(uncompressed.fetch_one_by_one), shuffled
            ),
        }
        times = take_turns(
            {
                name: lambda data=data: seconds_of(data)
                for name, data in datasets.items()
                if name.split(",")[0] in cells
            },
            arguments.rounds,
        )
    rows = []
    for name, seconds in times.items():
        first = next(other for other in times if other.split(",")[0] == name.split(",")[0])
        rate = arguments.images / statistics.median(seconds)
        rows.append([name, round(rate), round(ratio(times, first, name), 3)])
    print_table(["what", "images/s", "speed over the first"], rows)
    packages = ("tensorflow", "tensorflow-datasets", "array-record", "numpy")
    results = Results(
        arguments.output, {"environment": environment(packages), "images": arguments.images}
    )
    for name, rate, over in rows:
        results.add("rows", {"what": name, "images_per_second": rate, "speed_over_first": over})
    results.close()


if __name__ == "__main__":
    main()
