"""Speed and memory of the data: preparing 20,000 files, and epochs of augmented batches.

python benchmarks/data.py --baselines DIRECTORY/bin/python [--files 20000] [--links 200000]
                          [--rounds 3] [--directory DIRECTORY] [--only epoch]
                          [--output benchmarks/results/data.json]

The files are 150x150 float64 `.npy` images of noise in two class folders, as simulators write
them, made anew in a temporary directory. An epoch is all batches of the training split as
`lensnet fit` gets them, of 64 images. Beside it, a PyTorch `DataLoader` of two workers reads the
files themselves, as a script without preparation does; DIRECTORY is made by
benchmarks/make_baselines.sh, and without it the comparison is left out. All contenders take turns
in one run, on the same two cores, and ratios are medians over the rounds. So does the training step
of a resnet18 on such images, of whose time an epoch's batches take a share. Peaks of memory are of
processes of their own: for a quarter of the files, for all, and for --links further names of the
same files, in which all else grows but the files' own space.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from command_line import benchmark_parser, selected
from data_cells import (
    AUGMENTATIONS,
    BATCH,
    CORES,
    SIZE,
    epoch,
    experiment_of,
    training_step,
    use_cores,
    write_files,
)
from processes import Server, script
from reporting import Results, Table, environment
from timing import ratio, take_turns

TARGET_PER_SECOND = 1500

BESIDE = {"plain": False, "flips and rotations": True, "flips and rotations, bilinear": True}
"""Beside which augmentations the DataLoader is measured, and whether it augments."""


def peak_of(what: str, folder: Path, data_dir: Path) -> dict[str, float]:
    """Prepares a folder, or goes through an epoch of it; in a process of its own.

    Returns:
        seconds, images, the most MiB that the process took, and by how many it grew beyond what
        it took when all was imported.
    """
    import tensorflow as tf

    from lensnet.data import prepare

    tf.constant(0.0).numpy()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    data = prepare(experiment_of(folder, data_dir, AUGMENTATIONS["flips and rotations"]))
    if what == "prepare":
        images = sum(sum(data.counts(split).values()) for split in ("train", "validation", "test"))
    else:
        start = time.perf_counter()
        images = sum(len(batch) for batch, _ in data.training_batches(BATCH, epochs=1))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": seconds,
        "images": images,
        "peak_mib": peak / 1024,
        "grown_mib": (peak - before) / 1024,
    }


def apart(function: Callable[..., dict[str, float]], *arguments: Any) -> dict[str, float]:
    """Calls a function in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def measure_preparation(
    directory: Path, counts: dict[int, int | None], whats: dict[int, list[str]], rounds: int
) -> Iterator[dict[str, Any]]:
    """Prepares folders of so many files and goes through an epoch of each; gives a row each.

    Links, of which there are many, once; the others in rounds, for the first to write to memory
    that a virtual machine's host has not given it yet takes twice as long.

    Args:
        directory: where they go.
        counts: after how many files the others are links to these, or None, by number of files.
        whats: what is measured of each, `"prepare"`, `"epoch"` or both.
        rounds: of what are not links.
    """
    for count, distinct in counts.items():
        folder, data_dir = directory / f"files-{count}", directory / f"prepared-{count}"
        write_files(folder, count, distinct)
        for what in whats.get(count, []):
            found = []
            for _ in range(1 if distinct else rounds):
                if what == "prepare":
                    shutil.rmtree(data_dir, ignore_errors=True)
                else:
                    # What it does beyond preparing is timed.
                    apart(peak_of, "prepare", folder, data_dir)
                # The files stay in the page cache; what is still to be written would slow down all.
                os.sync()
                found.append(apart(peak_of, what, folder, data_dir))
            yield {
                "what": what,
                "files": count,
                "images_per_second": statistics.median(
                    one["images"] / one["seconds"] for one in found
                ),
                "peak_mib": max(one["peak_mib"] for one in found),
                "grown_mib": max(one["grown_mib"] for one in found),
            }


def measure_epochs(
    directory: Path, files: int, names: list[str], rounds: int, loader: Server | None
) -> Iterator[dict[str, Any]]:
    """Lets epochs of an augmentation take turns with the DataLoader's; gives a row each."""
    folder, data_dir = directory / f"files-{files}", directory / f"prepared-{files}"
    step = training_step()

    def load(augmented: bool) -> float:
        assert loader is not None  # noqa: S101
        answer = loader.ask(folder=str(folder), augmented=augmented)
        return answer["seconds"] / answer["images"]

    for name in names:
        cpu_seconds: list[float] = []
        contenders: dict[str, Callable[[], float]] = {
            "lensnet": epoch(folder, data_dir, AUGMENTATIONS[name], cpu_seconds),
            "resnet18": step,
        }
        if loader is not None and name in BESIDE:
            contenders["DataLoader"] = lambda name=name: load(BESIDE[name])
        times = take_turns(contenders, rounds)
        row = {
            "augmentation": name,
            "images_per_second": 1 / statistics.median(times["lensnet"]),
            "cpu_ms_an_image": 1e3 * statistics.median(cpu_seconds),
            "resnet18_step_ms_an_image": 1e3 * statistics.median(times["resnet18"]),
            "share_of_resnet18_step": ratio(times, "lensnet", "resnet18"),
        }
        if "DataLoader" in times:
            row["data_loader_images_per_second"] = 1 / statistics.median(times["DataLoader"])
            row["times_data_loader"] = ratio(times, "DataLoader", "lensnet")
        yield row


def main() -> None:
    parser = benchmark_parser(__doc__, "data.json", 3, "PyTorch")
    parser.add_argument("--files", type=int, default=20000, help="how many (default 20000)")
    parser.add_argument("--links", type=int, default=0, help="links to prepare (default none)")
    parser.add_argument("--directory", help="where the files go (default the system's)")
    arguments = parser.parse_args()
    if arguments.files < 400 or arguments.rounds < 1:
        parser.error("--files must be at least 400 and --rounds at least 1")
    counts: dict[int, int | None] = {arguments.files // 4: None, arguments.files: None}
    if arguments.links:
        counts[arguments.links] = 500
    memory = [f"memory/{what}/{count}" for count in counts for what in ("prepare", "epoch")]
    cells = selected([*memory, *(f"epoch/{name}" for name in AUGMENTATIONS)], arguments)
    whats: dict[int, list[str]] = {}
    for cell in cells:
        if cell in memory:
            _, what, count = cell.split("/")
            whats.setdefault(int(count), []).append(what)
    names = [cell.split("/")[1] for cell in cells if cell not in memory]
    # The epochs need the files too.
    counts = {
        count: how
        for count, how in counts.items()
        if count in whats or (names and count == arguments.files)
    }
    use_cores()
    packages = ("lensnet", "tensorflow", "tensorflow-datasets", "numpy", "numba")
    places = {arguments.baselines: "DIRECTORY/bin/python", arguments.directory: "DIRECTORY"}
    results = Results(
        arguments.output,
        {
            "environment": environment(packages, {path: to for path, to in places.items() if path}),
            "baselines": "PyTorch 2.13.0" if arguments.baselines else None,
            "cores": CORES,
            "image": f"{SIZE}x{SIZE} pixels, one band, float64 in files, batches of {BATCH}",
            "files": arguments.files,
            "links": arguments.links,
            "rounds": arguments.rounds,
            "target_images_per_second": TARGET_PER_SECOND,
        },
    )
    command = [arguments.baselines, script("baseline_data.py")]
    loader = Server("the DataLoader", command) if arguments.baselines else None
    table = Table({"what": 8, "files": 7, "images a second": 10, "peak MiB": 8, "grown by MiB": 8})
    epochs = Table(
        {
            "augmentation": 36,
            **dict.fromkeys(
                (
                    "images a second",
                    "CPU ms an image",
                    "step ms an image",
                    "share of step",
                    "DataLoader",
                    "times DataLoader",
                ),
                8,
            ),
        }
    )
    with tempfile.TemporaryDirectory(dir=arguments.directory) as name:
        directory = Path(name)
        for row in measure_preparation(directory, counts, whats, arguments.rounds):
            results.add("preparation_and_memory", row)
            table.add(*row.values())
        epoch_rows = measure_epochs(directory, arguments.files, names, arguments.rounds, loader)
        for row in epoch_rows if names else ():
            results.add("epochs", row)
            epochs.add(*row.values(), *[None] * (len(epochs.columns) - len(row)))
    if loader is not None:
        loader.close()
    results.close()


if __name__ == "__main__":
    main()
