"""Training on images that are simulated meanwhile, beside training on prepared ones.

python benchmarks/fresh.py [--rounds 5] [--only resnet18 64] [--images 200000]
                           [--output benchmarks/results/fresh.json]

Images a second of Keras's `fit` on batches of 64 of DeepLense Model I: those that `lensnet fit`
reads from prepared records, and those that it simulates with `data.fresh: true`. Both train the
same compiled network, in turns, in one process on the same two cores; figures are medians over the
rounds, and the ratio is the median of the rounds' ratios. The records fit into memory and are read
before. Beside it: the images a second that are simulated when nothing is trained.

Memory is that of a process that trains a network of one layer on --images fresh images, and of the
processes that simulate for it: the most after a tenth of the images, and after all.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from command_line import benchmark_parser, selected
from data_cells import use_cores
from processes import Server, answer_requests, script
from reporting import Results, Table, environment
from timing import ratio, take_turns

NETWORKS, SIZES, BATCH, STEPS = ("resnet18", "efficientnet_b0"), (64, 101), 64, 25
PER_CLASS = 700
MEMORY_SIZE = 64
TARGET_RATIO = 0.75

CELLS = [*(f"{name}/{size}" for size in SIZES for name in NETWORKS), "memory"]


def experiment_of(network: str, size: int, fresh: bool, steps: int, data_dir: Path) -> Any:
    """An experiment with the default augmentation."""
    from lensnet.config import Experiment

    return Experiment.model_validate(
        {
            "name": "fresh",
            "task": "classification",
            "data": {
                "dataset": "deeplense_substructure/simulated",
                "data_dir": str(data_dir),
                "options": {"image_size": size, "examples_per_class": PER_CLASS},
                "fresh": fresh,
            },
            "model": {"backbone": network},
            "training": {"batch_size": BATCH, "steps_per_epoch": steps if fresh else None},
        }
    )


def fit_of(model: Any, data: Any) -> Callable[[], float]:
    """Times an epoch of `fit` after the other; seconds an image."""
    epochs = itertools.count()

    def run() -> float:
        epoch = next(epochs)
        batches = data.training_batches(BATCH, first_epoch=epoch, epochs=epoch + 1).take(STEPS)
        start = time.perf_counter()
        model.fit(batches, steps_per_epoch=STEPS, verbose=0)
        return (time.perf_counter() - start) / (STEPS * BATCH)

    return run


def simulation_of(data: Any) -> Callable[[], float]:
    """Times what comes of the simulators alone; seconds an image."""
    epochs = itertools.count(1_000_000)

    def run() -> float:
        epoch = next(epochs)
        start = time.perf_counter()
        for _ in data.training_batches(BATCH, first_epoch=epoch, epochs=epoch + 1).take(STEPS):
            pass
        return (time.perf_counter() - start) / (STEPS * BATCH)

    return run


def compiled_model(network: str, shape: tuple[int, int, int]) -> Any:
    """A network as `lensnet fit` trains it."""
    import keras

    from lensnet import models
    from lensnet.layers import accelerate

    model = accelerate(models.create(network, input_shape=shape, num_outputs=3))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-3), loss, metrics=["accuracy"], jit_compile=False)
    return model


def speed_row(network: str, size: int, rounds: int, directory: Path) -> dict[str, Any]:
    """Lets both ways of training take turns."""
    import keras

    from lensnet.data import prepare

    keras.backend.clear_session()
    fixed, fresh = (
        prepare(experiment_of(network, size, fresh, STEPS, directory)) for fresh in (False, True)
    )
    model = compiled_model(network, fixed.image_shape)
    with fresh.feeding():
        times = take_turns(
            {
                "records": fit_of(model, fixed),
                "fresh": fit_of(model, fresh),
                "simulation": simulation_of(fresh),
            },
            rounds,
        )
    return {
        "network": network,
        "size": size,
        **{
            f"{name}_images_per_second": round(1 / statistics.median(values), 1)
            for name, values in times.items()
        },
        "fresh_over_records": round(ratio(times, "records", "fresh"), 3),
    }


def memory(images: int, directory: Path) -> dict[str, Any]:
    """Trains one layer on so many images, and looks at the most memory that it took."""
    import keras

    from lensnet.data import prepare

    use_cores()
    steps = images // BATCH
    data = prepare(experiment_of("resnet18", MEMORY_SIZE, True, steps, directory))
    model = keras.Sequential(
        [
            keras.Input(data.image_shape),
            keras.layers.AveragePooling2D(8),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=False)
    found: dict[str, Any] = {"images": steps * BATCH}

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            for name, at in (("after_a_tenth", steps // 10), ("after_all", steps - 2)):
                if batch == at:
                    found[f"peak_mib_{name}"] = round(_peak_mib())
                    found[f"simulating_peak_mib_{name}"] = [
                        round(_peak_of(child.pid)) for child in multiprocessing.active_children()
                    ]

    start = time.perf_counter()
    with data.feeding():
        batches = data.training_batches(BATCH, epochs=1)
        model.fit(batches, steps_per_epoch=steps, verbose=0, callbacks=[Watch()])
    found["images_per_second"] = round(steps * BATCH / (time.perf_counter() - start))
    return found


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _peak_of(pid: int | None) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    if sys.argv[1:] == ["--answer"]:
        answer_requests(lambda request: memory(request["images"], Path(request["directory"])))
        return
    parser = benchmark_parser(__doc__, "fresh.json", 5)
    parser.add_argument("--images", type=int, default=200_000, help="for memory (default 200000)")
    arguments = parser.parse_args()
    cells = selected(CELLS, arguments.only)
    if arguments.list:
        print("\n".join(cells))
        return
    use_cores()
    results = Results(
        arguments.output,
        {
            "environment": environment(("lensnet", "tensorflow", "keras", "numpy", "numba")),
            "batch": BATCH,
            "steps_a_round": STEPS,
            "rounds": arguments.rounds,
            "target_fresh_over_records": TARGET_RATIO,
        },
    )
    columns = ("records", "fresh", "simulation", "fresh over records")
    table = Table({"network": 16, "size": 4, **dict.fromkeys(columns, 10)})
    with tempfile.TemporaryDirectory() as name:
        for cell in cells:
            if cell == "memory":
                server = Server("memory", [sys.executable, script("fresh.py"), "--answer"])
                results.add("memory", server.ask(images=arguments.images, directory=name))
                server.close()
                print(results.content["memory"][-1], flush=True)
                continue
            network, size = cell.split("/")
            row = speed_row(network, int(size), arguments.rounds, Path(name))
            results.add("speed", row)
            table.add(*row.values())
    results.close()


if __name__ == "__main__":
    main()
