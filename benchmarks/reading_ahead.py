"""Reading files ahead: threads, the thread that asks, and the race that chooses between them.

python benchmarks/reading_ahead.py [--files 2000] [--rounds 5]
                                   [--output benchmarks/results/reading_ahead.json]

Files lie in a temporary directory and so in the page cache: small `.npy` images, large ones, and
gzipped FITS ones, read and decoded as preparation does. A slow disk is a file system that answers
each read after two milliseconds, imitated by sleeping. `threads` is the bounded pool that
`lensnet.data.sources.reading_ahead` uses for its turns of threads, two threads a CPU; `one by one`
is a loop; `race` is `read_ahead`. Contenders take turns; ratios are medians over the rounds.
"""

from __future__ import annotations

import gzip
import io
import itertools
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from command_line import benchmark_parser, selected
from reporting import Results, Table, environment
from timing import ratio, take_turns

from lensnet.data import FileReader
from lensnet.data.cpus import available_cpus
from lensnet.data.sources.reading_ahead import read_ahead

CHUNK, AHEAD = 8, 128


def by_threads(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Yields results in order, a bounded number of them computed ahead by threads."""
    source = iter(items)
    waiting: deque[Future[list[Any]]] = deque()
    with ThreadPoolExecutor(2 * available_cpus()) as pool:
        while True:
            while len(waiting) * CHUNK < AHEAD:
                chunk = list(itertools.islice(source, CHUNK))
                if not chunk:
                    break
                waiting.append(pool.submit(lambda items: [function(i) for i in items], chunk))
            if not waiting:
                return
            yield from waiting.popleft().result()


CONTENDERS: dict[str, Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]] = {
    "one by one": map,
    "threads": by_threads,
    "race": read_ahead,
}


def write_files(folder: Path, count: int, size: int, kind: str) -> list[str]:
    """Writes images of noise, and returns their paths."""
    random = np.random.default_rng(0)
    folder.mkdir()
    paths = []
    for index in range(count):
        image = random.random((size, size), np.float32)
        if kind == "npy":
            paths.append(str(folder / f"{index}.npy"))
            np.save(paths[-1], image)
        else:
            paths.append(str(folder / f"{index}.fits.gz"))
            stream = io.BytesIO()
            fits.PrimaryHDU(image).writeto(stream)
            Path(paths[-1]).write_bytes(gzip.compress(stream.getvalue(), 1))
    return paths


def main() -> None:
    """Measures, prints and writes."""
    parser = benchmark_parser(__doc__, "reading_ahead.json", 5)
    parser.add_argument("--files", type=int, default=2000)
    arguments = parser.parse_args()
    cells = selected(
        ("memory/npy/64", "memory/npy/150", "memory/fits.gz/64", "slow/npy/64"), arguments
    )
    reader = FileReader()

    def read(path: str) -> Any:
        return reader.read([path])

    def read_slowly(path: str) -> Any:
        time.sleep(0.002)
        return reader.read([path])

    results = Results(arguments.output, {"environment": environment(("numpy", "astropy"))})
    table = Table(
        {
            "files": 18,
            **{f"{name}, files/s": 8 for name in CONTENDERS},
            "race over threads": 8,
            "race over one by one": 8,
        }
    )
    for cell in cells:
        disk, kind, size = cell.split("/")
        function = read if disk == "memory" else read_slowly
        with tempfile.TemporaryDirectory() as directory:
            paths = write_files(Path(directory) / "images", arguments.files, int(size), kind)
            # As many as take about as long: small ones are read four times.
            paths = (
                paths[: len(paths) // 2] if disk == "slow" else paths * (1 if kind != "npy" else 4)
            )

            def timed(way: Any, function: Any = function, paths: Any = paths) -> float:
                start = time.perf_counter()
                for _ in way(function, paths):
                    pass
                return time.perf_counter() - start

            times = take_turns(
                {name: lambda way=way: timed(way) for name, way in CONTENDERS.items()},
                arguments.rounds,
            )
        row: dict[str, Any] = {"files": cell}
        for name, seconds in times.items():
            row[f"{name}, files/s"] = round(len(paths) / statistics.median(seconds))
        row["race over threads"] = round(ratio(times, "threads", "race"), 2)
        row["race over one by one"] = round(ratio(times, "one by one", "race"), 2)
        table.add(*row.values())
        results.add("rows", row)
    results.close()


if __name__ == "__main__":
    main()
