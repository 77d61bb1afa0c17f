"""Speed and memory of the data: preparing 20,000 files, and epochs of augmented batches.

python benchmarks/data.py --yardsticks DIRECTORY/bin/python [--files 20000] [--links 200000]
                          [--rounds 3] [--directory DIRECTORY]
                          [--output benchmarks/results/data.json]

The files are 150x150 float64 `.npy` images of noise in two class folders, as simulators write
them, made anew in a temporary directory. An epoch is all batches of the training split as
`lensnet fit` gets them, of 64 images. Beside it, a PyTorch `DataLoader` of two workers reads the
files themselves, as a script without preparation does; DIRECTORY is made by
benchmarks/make_yardsticks.sh, and without it the comparison is left out. All contenders take turns
in one run, on the same two cores, and ratios are medians over the rounds. So does the training step
of a resnet18 on such images, of whose time an epoch's batches take a share. Peaks of memory are of
processes of their own: for a quarter of the files, for all, and for --links further names of the
same files, in which all else grows but the files' own space.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
from timing import (
    environment,
    print_table,
    ratio,
    seconds_a_call,
    take_turns,
    write_results,
)

HERE = Path(__file__).parent
SIZE, BATCH, CORES = 150, 64, 2
TARGET_PER_SECOND = 1500

AUGMENTATIONS: dict[str, list[Any]] = {
    "plain": [],
    "flips and quarter turns": ["flip", "rotate90"],
    "flips and turns": ["flip", {"rotate": {"degrees": 15}}],
    "flips and turns, bilinear": [
        "flip",
        {"rotate": {"degrees": 15, "interpolation": "bilinear"}},
    ],
    "flips, turns, shifts, zooms, noise": [
        "flip",
        {"rotate": {"degrees": 180}},
        {"shift": {"pixels": 3}},
        "zoom",
        "noise",
    ],
}
"""What is done to the images of an epoch, by the name of the row."""


def write_files(folder: Path, count: int, distinct: int | None = None) -> None:
    """Writes `no/` and `sub/` of images, half of them each.

    Args:
        folder: to be made.
        count: images.
        distinct: after how many files of a folder the others are links to these; None for no link.
    """
    random = np.random.default_rng(0)
    for name in ("no", "sub"):
        (folder / name).mkdir(parents=True)
        for index in range(count // 2):
            path = folder / name / f"{index}.npy"
            if distinct is None or index < distinct:
                np.save(path, random.random((SIZE, SIZE)))
            else:
                path.hardlink_to(folder / name / f"{index % distinct}.npy")


def experiment_of(folder: Path, data_dir: Path, augmentation: list[Any]) -> Any:
    """An experiment on a folder, nearly all of it for training."""
    from lensnet.config import Experiment

    return Experiment.model_validate(
        {
            "name": "data",
            "task": "binary",
            "data": {
                "dataset": "image_folder",
                "source_dir": str(folder),
                "data_dir": str(data_dir),
                "splits": {"train": 0.98, "validation": 0.01, "test": 0.01},
                "augmentation": augmentation,
            },
            "model": {"backbone": "resnet18"},
        }
    )


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
    data = prepare(experiment_of(folder, data_dir, AUGMENTATIONS["flips and turns"]))
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


def epoch(
    folder: Path, data_dir: Path, augmentation: list[Any], cpu_seconds: list[float]
) -> Callable[[], float]:
    """Times an epoch of prepared data; seconds an image, and those of the processor noted too."""
    from lensnet.data import prepare

    data = prepare(experiment_of(folder, data_dir, augmentation))

    def run() -> float:
        start, start_cpu = time.perf_counter(), time.process_time()
        images = sum(len(batch) for batch, _ in data.training_batches(BATCH, epochs=1))
        cpu_seconds.append((time.process_time() - start_cpu) / images)
        return (time.perf_counter() - start) / images

    return run


def training_step() -> Callable[[], float]:
    """Times a training step of a resnet18 on a batch that is there already; seconds an image."""
    import keras
    import tensorflow as tf

    import lensnet

    model = lensnet.models.create("resnet18", input_shape=(SIZE, SIZE, 1), num_outputs=1)
    model.compile(keras.optimizers.AdamW(1e-3), "binary_crossentropy", jit_compile=False)
    images = np.random.default_rng(0).random((BATCH, SIZE, SIZE, 1), "float32")
    batch = tf.constant(images), tf.zeros((BATCH, 1))
    step = tf.function(model.train_step)
    return lambda: seconds_a_call(lambda: float(step(batch)["loss"]), 2) / BATCH


class Yardstick:
    """The process with the DataLoader."""

    def __init__(self, python: str):
        self.process = subprocess.Popen(
            [python, str(HERE / "yardstick_data.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def epoch(self, folder: Path, *, augmented: bool) -> float:
        """Times an epoch over the files; seconds an image."""
        assert self.process.stdin and self.process.stdout  # noqa: S101
        request = {"folder": str(folder), "augmented": augmented}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["seconds"] / answer["images"]


def measure_preparation(
    directory: Path, files: int, links: int, rounds: int
) -> list[dict[str, Any]]:
    """Prepares a quarter of the files, all, and many links, and goes through an epoch of each.

    The links, of which there are many, once; the others in rounds, for the first to write to memory
    that a virtual machine's host has not given it yet takes twice as long.
    """
    rows = []
    for count, distinct in ((files // 4, None), (files, None), (links, 500)):
        if not count:
            continue
        folder, data_dir = directory / f"files-{count}", directory / f"prepared-{count}"
        write_files(folder, count, distinct)
        for what in ("prepare", "epoch"):
            found = []
            for number in range(1 if distinct else rounds):
                if what == "prepare" and number:
                    shutil.rmtree(data_dir)
                # The files stay in the page cache; what is still to be written would slow down all.
                os.sync()
                found.append(apart(peak_of, what, folder, data_dir))
            rows.append(
                {
                    "what": what,
                    "files": count,
                    "images_per_second": statistics.median(
                        one["images"] / one["seconds"] for one in found
                    ),
                    "peak_mib": max(one["peak_mib"] for one in found),
                    "grown_mib": max(one["grown_mib"] for one in found),
                }
            )
    return rows


def measure_epochs(
    directory: Path, files: int, rounds: int, yardsticks: str | None
) -> list[dict[str, Any]]:
    """Lets epochs of every augmentation take turns with the DataLoader's."""
    folder, data_dir = directory / f"files-{files}", directory / f"prepared-{files}"
    cpu: dict[str, list[float]] = {name: [] for name in AUGMENTATIONS}
    contenders = {
        name: epoch(folder, data_dir, how, cpu[name]) for name, how in AUGMENTATIONS.items()
    }
    beside = {}
    if yardsticks:
        yardstick = Yardstick(yardsticks)
        beside = {"plain": False, "flips and turns": True, "flips and turns, bilinear": True}
        for augmented in (False, True):
            contenders[f"DataLoader {augmented}"] = lambda augmented=augmented: yardstick.epoch(
                folder, augmented=augmented
            )
    contenders["resnet18"] = training_step()
    times = take_turns(contenders, rounds)
    print(
        f"A training step of resnet18: {1e3 * statistics.median(times['resnet18']):.1f} ms an image"
    )
    rows = []
    for name in AUGMENTATIONS:
        row = {
            "augmentation": name,
            "images_per_second": 1 / statistics.median(times[name]),
            "cpu_ms_an_image": 1e3 * statistics.median(cpu[name]),
            "share_of_resnet18_step": ratio(times, name, "resnet18"),
        }
        if name in beside:
            other = f"DataLoader {beside[name]}"
            row["data_loader_images_per_second"] = 1 / statistics.median(times[other])
            row["times_data_loader"] = ratio(times, other, name)
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--yardsticks", help="the Python of make_yardsticks.sh's environment")
    parser.add_argument("--files", type=int, default=20000, help="how many (default 20000)")
    parser.add_argument("--links", type=int, default=0, help="links to prepare (default none)")
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each (default 3)")
    parser.add_argument("--directory", help="where the files go (default the system's)")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "data.json")
    arguments = parser.parse_args()
    if arguments.files < 400 or arguments.rounds < 1:
        parser.error("--files must be at least 400 and --rounds at least 1")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory(dir=arguments.directory) as name:
        directory = Path(name)
        preparation = measure_preparation(
            directory, arguments.files, arguments.links, arguments.rounds
        )
        epochs = measure_epochs(directory, arguments.files, arguments.rounds, arguments.yardsticks)
    for rows in (preparation, epochs):
        columns = list(dict.fromkeys(key for row in rows for key in row))
        print_table(columns, [[row.get(key, "") for key in columns] for row in rows])
    packages = ("lensnet", "tensorflow", "tensorflow-datasets", "numpy", "numba")
    places = {arguments.yardsticks: "DIRECTORY/bin/python", arguments.directory: "DIRECTORY"}
    content = {
        **environment(packages, {path: word for path, word in places.items() if path}),
        "cores": CORES,
        "image": f"{SIZE}x{SIZE} pixels, one band, float64 in files, batches of {BATCH}",
        "files": arguments.files,
        "links": arguments.links,
        "rounds": arguments.rounds,
        "target_images_per_second": TARGET_PER_SECOND,
        "preparation_and_memory": preparation,
        "epochs": epochs,
    }
    write_results(arguments.output, content)


if __name__ == "__main__":
    main()
