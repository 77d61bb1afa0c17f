"""A survey's catalogue on its mosaics: rows planned and loaded a second, and the memory it takes.

python benchmarks/survey.py [--rows 1000000] [--tiles 400] [--only mosaics/csv]
                            [--output benchmarks/results/survey.json]

Positions at random over tiles of noise, 512 x 512 pixels each, in random order, with eight more
columns that are carried along. `plan` reads the headers of the tiles and the catalogue, finds each
position's tile and writes the partitions; `load` cuts all of them out, 64 x 64 pixels, in batches
of 64 that an instant stub takes in place of a network. `locate` is the index of tiles by itself.
Each cell runs in a process of its own; the tiles are in the page cache. Peak memory is that of the
process, and counts what is mapped of the tiles at the time.
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from command_line import benchmark_parser, selected
from reporting import Results, Table, environment

SIDE, CUT, SCALE = 512, 64, 0.25
STEP = 440
"""Pixels from one tile to the next: they share more than a cutout."""
BATCH = 64
CELLS = ("mosaics/csv", "mosaics/parquet", "distorted mosaics/parquet")


def header(ra: float, dec: float, distorted: bool) -> Any:
    """The header of a tile around a position."""
    from astropy.io import fits

    kind = "TAN-SIP" if distorted else "TAN"
    cards = fits.Header({"CTYPE1": f"RA---{kind}", "CTYPE2": f"DEC--{kind}"})
    cards.update({"CRVAL1": ra, "CRVAL2": dec, "CRPIX1": SIDE / 2, "CRPIX2": SIDE / 2})
    cards.update({"CD1_1": -SCALE / 3600, "CD2_2": SCALE / 3600, "CD1_2": 0.0, "CD2_1": 0.0})
    cards["RADESYS"] = "ICRS"
    if distorted:
        cards.update({"A_ORDER": 3, "B_ORDER": 3, "A_2_0": 1e-5, "B_0_2": -2e-5, "A_0_3": 1e-8})
    return cards


def make_tiles(folder: Path, count: int, distorted: bool) -> None:
    """Writes tiles beside each other, each sharing its edges with its neighbours."""
    from astropy.io import fits

    folder.mkdir()
    columns = math.isqrt(count)
    step = STEP * SCALE / 3600
    pixels = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(">f4")
    for number in range(count):
        row, column = divmod(number, columns)
        # Across right ascension 0.
        ra = (column - (columns - 1) / 2) * step % 360
        cards = header(ra, (row - (columns - 1) / 2) * step, distorted)
        fits.PrimaryHDU(pixels + number, cards).writeto(folder / f"tile{number:05d}.fits")


def reach_of(tiles: int) -> float:
    """How far from the middle of the tiles positions lie, in degrees: all have a whole cutout."""
    return (0.5 * (math.isqrt(tiles) * STEP + SIDE - STEP) - CUT) * SCALE / 3600


def make_catalogue(path: Path, rows: int, tiles: int) -> None:
    """Writes positions on the tiles in random order."""
    random = np.random.default_rng(1)
    reach = reach_of(tiles)
    content = {
        "object_id": 4 * 10**15 + random.permutation(rows),
        "ra": random.uniform(-reach, reach, rows) % 360,
        "dec": random.uniform(-reach, reach, rows),
        "field": pa.array([f"F{number:03d}" for number in random.integers(0, 500, rows)]),
    }
    content |= {f"mag_{band}": random.normal(22, 1, rows).round(4) for band in "ugrizy"}
    table = pa.table(content)
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pyarrow.parquet.write_table(table, path)


def measure(cell: str, rows: int, tiles: int) -> dict[str, Any]:
    """Measures a cell in this process."""
    from lensnet.config import Experiment
    from lensnet.data.files.mosaics import CutoutSize
    from lensnet.data.tiles import TileIndex, list_tiles, read_tiles
    from lensnet.prediction.planning import InputOptions, plan
    from lensnet.progress import hidden

    experiment = Experiment.model_validate(
        {
            "name": "survey",
            "task": "binary",
            "data": {"dataset": "image_folder", "source_dir": "."},
            "model": {"backbone": "resnet18"},
        }
    )
    with tempfile.TemporaryDirectory(prefix="lensnet-survey-") as directory, hidden():
        folder = Path(directory)
        catalogue = folder / f"objects.{cell.rpartition('/')[2]}"
        # In another process, so that its memory is not counted.
        subprocess.run(
            [sys.executable, __file__, "--make", cell, str(folder), str(rows), str(tiles)],
            check=True,
        )
        pattern = str(folder / "tiles" / "*.fits")
        start = time.perf_counter()
        index = TileIndex(read_tiles(list_tiles([pattern])), CutoutSize(pixels=CUT))
        headers = time.perf_counter() - start
        random = np.random.default_rng(2)
        reach = reach_of(tiles)
        ra, dec = random.uniform(-reach, reach, (2, rows))
        start = time.perf_counter()
        for first in range(0, rows, 65536):
            index.locate(ra[first : first + 65536] % 360, dec[first : first + 65536])
        locate = time.perf_counter() - start
        del index, ra, dec

        start = time.perf_counter()
        planned = plan(
            experiment,
            (CUT, CUT, 1),
            [catalogue],
            folder / "parts",
            options=InputOptions(mosaics=(pattern,)),
        )
        planning = time.perf_counter() - start
        planning_memory = peak_memory()
        start = time.perf_counter()
        loaded = failed = 0
        batch: list[np.ndarray] = []
        for number in range(planned.partitions):
            for one in planned.load(planned.partition(number)):
                loaded += 1
                if one.image is None:
                    failed += 1
                    continue
                batch.append(one.image)
                if len(batch) == BATCH:
                    np.stack(batch)
                    batch.clear()
        loading = time.perf_counter() - start
    return {
        "inputs": cell,
        "rows": rows,
        "tiles": tiles,
        "headers, s": round(headers, 1),
        "locate, rows/s": round(rows / locate),
        "plan, rows/s": round(rows / planning),
        "load, rows/s": round(loaded / loading),
        "without an image": failed,
        "partitions": planned.partitions,
        "plan, peak GB": planning_memory,
        "peak GB": peak_memory(),
    }


def peak_memory() -> float:
    """The most memory this process has had, in GB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2)


def main() -> None:
    """Measures the cells and writes the results."""
    if sys.argv[1:2] == ["--make"]:
        cell, folder, rows, tiles = sys.argv[2:]
        make_tiles(Path(folder) / "tiles", int(tiles), cell.startswith("distorted"))
        path = Path(folder) / f"objects.{cell.rpartition('/')[2]}"
        return make_catalogue(path, int(rows), int(tiles))
    if sys.argv[1:2] == ["--measure"]:
        cell, rows, tiles = sys.argv[2:]
        print(json.dumps(measure(cell, int(rows), int(tiles))))
        return None
    parser = benchmark_parser(__doc__ or "", "survey.json", rounds=1)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--tiles", type=int, default=400)
    arguments = parser.parse_args()
    cells = selected(CELLS, arguments)
    packages = ("lensnet", "astropy", "numpy", "pyarrow", "scipy")
    results = Results(arguments.output, environment(packages))
    table = Table(
        {
            "inputs": 26,
            "locate, rows/s": 8,
            "plan, rows/s": 8,
            "load, rows/s": 8,
            "plan, peak GB": 8,
            "peak GB": 8,
        }
    )
    for cell in cells:
        command = [sys.executable, __file__, "--measure", cell]
        command += [str(arguments.rows), str(arguments.tiles)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        row = json.loads(output.splitlines()[-1])
        table.add(*(row[name] for name in table.columns))
        results.add("rows", row)
    results.close()
    return None


if __name__ == "__main__":
    main()
