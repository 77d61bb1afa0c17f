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

import argparse
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
from timing import environment, print_table, ratio, take_turns, write_results

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


def processor_flags() -> list[str]:
    """What the processor can do, as far as speed may depend on it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    return [name for name in flags if name.startswith(("avx", "amx", "sse4", "fma"))]


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent / "results" / "reading_ahead.json"
    )
    arguments = parser.parse_args()
    reader = FileReader()

    def read(path: str) -> Any:
        return reader.read([path])

    def read_slowly(path: str) -> Any:
        time.sleep(0.002)
        return reader.read([path])

    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as directory:
        above = Path(directory)
        small = write_files(above / "small", arguments.files, 64, "npy")
        cases = {
            "64 px .npy": (read, small * 4),
            "150 px .npy": (read, write_files(above / "large", arguments.files, 150, "npy") * 2),
            "64 px .fits.gz": (read, write_files(above / "gz", arguments.files, 64, "fits")),
            "64 px .npy, slow disk": (read_slowly, small[: arguments.files // 2]),
        }
        for case, (function, paths) in cases.items():

            def timed(way: Any, function: Any = function, paths: Any = paths) -> float:
                start = time.perf_counter()
                for _ in way(function, paths):
                    pass
                return time.perf_counter() - start

            times = take_turns(
                {name: lambda way=way: timed(way) for name, way in CONTENDERS.items()},
                arguments.rounds,
            )
            row: dict[str, Any] = {"files": case}
            for name, seconds in times.items():
                row[f"{name}, files/s"] = round(len(paths) / statistics.median(seconds))
            row["race over threads"] = round(ratio(times, "threads", "race"), 2)
            row["race over one by one"] = round(ratio(times, "one by one", "race"), 2)
            rows.append(row)
    print_table(list(rows[0]), [list(row.values()) for row in rows])
    write_results(
        arguments.output,
        {
            "environment": environment(("numpy", "astropy")),
            "processor_flags": processor_flags(),
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
