"""Scoring at survey scale: flat memory, kills, speed beside the bare model, Dask workers, shards.

python benchmarks/survey_scoring.py [--images 200000] [--small 20000] [--rounds 10]
                                    [--size 64]
                                    [--directory DIRECTORY] [--only speed]
                                    [--output benchmarks/results/survey_scoring.json]

The images are cutouts of --size pixels a side in a .npy stack, made in a temporary directory, and
the network is a narrow ResNet-18 with its first weights: what is measured is everything around it.
Each prediction is a process of its own, `lensnet predict`.

- **speed**: images a second of the bare model on arrays in memory that are preprocessed already,
  in batches of the size that predict chose, before and after a prediction, and of the prediction
  itself: by its progress from the first batch on, and with its start and the writing of the table.
- **killed**: the same, ended by SIGKILL when a quarter, half and three quarters are done; the rows
  are then counted one by one. The most memory (VmHWM) of each of the processes.
- **dask**: --rounds times two workers on the loopback interface score --small images; one of them
  is killed at a random moment, and a third joins; each table is compared with that of one process.
- **shards**: three of them, in another order, and their table beside that of one process.

The exit status is 1 if a table differs.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from command_line import benchmark_parser, selected
from reporting import Results, Table, environment

CELLS = ("speed", "killed", "dask", "shards")
NETWORK = {"backbone": "resnet18", "width": 0.25}
_RATE = re.compile(r"Scoring images: (\d+) rows in .*, (\d+) a second")


def make_images(path: Path, count: int, size: int) -> Path:
    """Writes a stack of noise, a piece at a time."""
    stack = np.lib.format.open_memmap(path, "w+", np.float32, (count, size, size))
    rng = np.random.default_rng(0)
    for start in range(0, count, 10_000):
        piece = stack[start : start + 10_000]
        piece[:] = rng.standard_normal(piece.shape, np.float32)
    stack.flush()
    return path


def make_run(folder: Path, size: int) -> Path:
    """Makes a run folder of a network with its first weights."""
    import keras

    from lensnet.config import Experiment
    from lensnet.data import Preprocessing
    from lensnet.models import create
    from lensnet.run_folder import RunFolder

    keras.utils.set_random_seed(0)
    shape = (size, size, 1)
    content = {
        "name": "survey",
        "task": "binary",
        "data": {"dataset": "image_folder", "source_dir": str(folder)},
        "model": NETWORK,
    }
    run = RunFolder.create(folder)
    model = create(
        NETWORK["backbone"],
        input_shape=shape,
        num_outputs=1,
        width=NETWORK["width"],
        activation="sigmoid",
    )
    model.save(run.model_file)
    description = {
        "classes": ["galaxy", "lens"],
        "native_shape": shape,
        "image_shape": shape,
        "preprocessing": Preprocessing(shape).to_dict(),
    }
    run.write_json("data.json", description)
    run.write_experiment(Experiment.model_validate(content))
    return folder


def predict(run: Path, images: Path, output: Path, *options: Any) -> subprocess.Popen[str]:
    """Starts a prediction."""
    command = [sys.executable, "-m", "lensnet", "predict", run, images, "-o", output, *options]
    return subprocess.Popen(
        list(map(str, command)), stderr=subprocess.PIPE, text=True, cwd=run.parent
    )


def peak_mib(process: subprocess.Popen[str]) -> float:
    """The most memory that a process has taken so far; 0 where it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) / 1024
    return 0.0


def finished(process: subprocess.Popen[str]) -> tuple[float, float, str]:
    """Waits for a process; returns its seconds from now on, its peak in MiB, and what it said.

    Raises:
        SystemExit: it failed.
    """
    said: list[str] = []
    reading = threading.Thread(target=lambda: said.append(process.stderr.read()))  # type: ignore[union-attr]
    reading.start()
    start, peak = time.perf_counter(), 0.0
    while process.poll() is None:
        peak = max(peak, peak_mib(process))
        time.sleep(0.05)
    reading.join()
    if process.returncode:
        raise SystemExit(f"predict failed ({process.returncode}):\n{said[0]}")
    return time.perf_counter() - start, peak, said[0]


def rate_of(said: str) -> float:
    """The images a second that a prediction says it had."""
    found = _RATE.search(said)
    if found is None:
        raise SystemExit(f"predict named no rate:\n{said}")
    return float(found[2])


def bare_rate(run: Path, images: Path, batch_size: int, count: int = 20_000) -> float:
    """Images a second of the model on preprocessed arrays in memory; of three rounds the median."""
    from lensnet.prediction import Predictor

    predictor = Predictor.open(run)
    stack = np.load(images, mmap_mode="r")[:count][..., np.newaxis]
    batches = [
        np.asarray(predictor.preprocessing(np.ascontiguousarray(stack[at : at + batch_size])))
        for at in range(0, len(stack) - batch_size + 1, batch_size)
    ]
    rates = []
    predictor.model.predict_on_batch(batches[0])
    for _ in range(3):
        start = time.perf_counter()
        for batch in batches:
            predictor.model.predict_on_batch(batch)
        rates.append(len(batches) * batch_size / (time.perf_counter() - start))
    return float(np.median(rates))


def in_process(function: Any, *arguments: Any) -> Any:
    """Calls a function in a process of its own."""
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def measure_speed(folder: Path, run: Path, images: Path, batch_size: int) -> dict[str, Any]:
    """See `speed` above."""
    output = folder / "whole.parquet"
    before = in_process(bare_rate, run, images, batch_size)
    seconds, peak, said = finished(
        predict(run, images, output, "--batch-size", batch_size, "--overwrite")
    )
    after = in_process(bare_rate, run, images, batch_size)
    rows = pq.read_metadata(output).num_rows
    bare = (before + after) / 2
    return {
        "images": rows,
        "batch_size": batch_size,
        "bare_before": before,
        "bare_after": after,
        "predict": rate_of(said),
        "predict_with_start_and_table": rows / seconds,
        "ratio": rate_of(said) / bare,
        "peak_mib": peak,
    }


def check_rows(table: pa.Table, count: int) -> bool:
    """Whether a table has each image once, in order, with a score."""
    files = table["file"].to_pylist()
    numbers = [int(file.rpartition("[")[2].rstrip("]")) for file in files]
    return numbers == list(range(count)) and set(table["status"].to_pylist()) == {"ok"}


def measure_killed(folder: Path, run: Path, images: Path, count: int) -> dict[str, Any]:
    """See `killed` above."""
    output = folder / "killed.parquet"
    parts = output.with_name(f"{output.name}.parts")
    partitions = -(-count // 8192)
    peaks = []
    for share in (0.25, 0.5, 0.75):
        process = predict(run, images, output, "--resume")
        peak = 0.0
        while len(list(parts.glob("scores-*.parquet"))) < share * partitions:
            peak = max(peak, peak_mib(process))
            if process.poll() is not None:
                raise SystemExit(f"predict ended:\n{process.stderr.read()}")  # type: ignore[union-attr]
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        peaks.append(peak)
    _, peak, _ = finished(predict(run, images, output, "--resume"))
    table = pq.read_table(output)
    return {
        "images": count,
        "kills": 3,
        "rows": table.num_rows,
        "exact": check_rows(table, count) and not parts.exists(),
        "peak_mib": max(*peaks, peak),
    }


def same(one: Path, other: Path) -> tuple[bool, float]:
    """Whether two tables are equal after sorting, and the largest difference of a score."""
    tables = [pq.read_table(path).sort_by("file") for path in (one, other)]
    scores = [table["score_lens"].to_numpy() for table in tables]
    if len(scores[0]) != len(scores[1]):
        return False, float("inf")
    return tables[0].equals(tables[1]), float(np.abs(scores[0] - scores[1]).max())


@contextlib.contextmanager
def scheduler() -> Iterator[str]:
    """A Dask scheduler on the loopback interface."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", "0", "--no-dashboard"], stderr=subprocess.PIPE, text=True
    )
    address = ""
    for line in process.stderr or ():
        found = re.search(r"Scheduler at:\s+(tcp://\S+)", line)
        if found:
            address = found[1]
            break
    drain = threading.Thread(target=lambda: process.stderr.read(), daemon=True)  # type: ignore[union-attr]
    drain.start()
    try:
        yield address
    finally:
        process.terminate()
        process.wait()


def worker(address: str) -> subprocess.Popen[bytes]:
    """A Dask worker of one thread, without a nanny that would start it again."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
    return subprocess.Popen(
        [*command, "--nthreads", "1", "--no-dashboard"],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def measure_dask(folder: Path, run: Path, images: Path, round_: int) -> dict[str, Any]:
    """See `dask` above."""
    output = folder / f"dask-{round_}.parquet"
    draw = random.Random(round_)
    with scheduler() as address:
        workers = [worker(address), worker(address)]
        try:
            process = predict(
                run, images, output, "--dask", address, "--partition-rows", 1000,
                "--batch-size", 256, "--overwrite",
            )  # fmt: skip
            parts = output.with_name(f"{output.name}.parts")
            share = draw.uniform(0, 0.8)
            partitions = -(-len(np.load(images, mmap_mode="r")) // 1000)
            while len(list(parts.glob("scores-*.parquet"))) < share * partitions:
                if process.poll() is not None:
                    raise SystemExit(f"predict ended:\n{process.stderr.read()}")  # type: ignore[union-attr]
                time.sleep(0.02)
            time.sleep(draw.uniform(0, 0.5))
            os.kill(workers[draw.randrange(2)].pid, signal.SIGKILL)
            workers.append(worker(address))
            seconds, _, _ = finished(process)
        finally:
            for one in workers:
                one.kill()
                one.wait()
    is_same, difference = same(output, folder / "small.parquet")
    return {
        "round": round_,
        "killed_at": round(share, 2),
        "equal": is_same,
        "largest_difference": difference,
        "seconds": seconds,
    }


def measure_shards(folder: Path, run: Path, images: Path) -> dict[str, Any]:
    """See `shards` above."""
    output = folder / "shards.parquet"
    options = ("--partition-rows", 1000, "--batch-size", 256)
    for number in (2, 3, 1):
        finished(predict(run, images, output, "--shard", f"{number}/3", *options))
    subprocess.run(
        [sys.executable, "-m", "lensnet", "predict", "--merge", "-o", str(output)], check=True
    )
    is_same, difference = same(output, folder / "small.parquet")
    return {"shards": 3, "equal": is_same, "largest_difference": difference}


def main() -> None:
    parser = benchmark_parser(__doc__ or "", "survey_scoring.json", rounds=10)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--small", type=int, default=20_000, help="of `dask` and `shards`")
    parser.add_argument("--size", type=int, default=64, help="pixels a side")
    parser.add_argument("--batch-size", type=int, default=256, help="of `speed`")
    parser.add_argument("--directory", type=Path, help="where the files go; default a new one")
    arguments = parser.parse_args()
    cells = selected(CELLS, arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    results = Results(
        arguments.output,
        {
            **environment(["lensnet", "tensorflow", "keras", "pyarrow", "dask", "distributed"]),
            "size": arguments.size,
            "network": NETWORK,
            "load_of_the_machine": os.getloadavg()[0],
        },
    )
    table = Table({"cell": 8, "result": 90})
    is_right = True
    with tempfile.TemporaryDirectory(dir=arguments.directory) as name:
        folder = Path(name)
        run = make_run(folder / "run", arguments.size)
        images = make_images(folder / "images.npy", arguments.images, arguments.size)
        small = make_images(folder / "small.npy", arguments.small, arguments.size)
        if {"dask", "shards"} & set(cells):
            options = ("--partition-rows", 1000, "--batch-size", 256)
            finished(predict(run, small, folder / "small.parquet", *options))

        def add(cell: str, row: dict[str, Any]) -> None:
            nonlocal is_right
            is_right &= bool(row.get("equal", True) and row.get("exact", True))
            results.add(cell, row)
            table.add(
                cell,
                ", ".join(
                    f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
                ),
            )

        if "speed" in cells:
            add("speed", measure_speed(folder, run, images, arguments.batch_size))
        if "killed" in cells:
            add("killed", measure_killed(folder, run, images, arguments.images))
        if "shards" in cells:
            add("shards", measure_shards(folder, run, small))
        if "dask" in cells:
            for round_ in range(arguments.rounds):
                add("dask", measure_dask(folder, run, small, round_))
    results.close()
    raise SystemExit(not is_right)


if __name__ == "__main__":
    main()
