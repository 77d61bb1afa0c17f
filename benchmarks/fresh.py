"""Training on images that are simulated meanwhile, beside training on prepared ones.

python benchmarks/fresh.py [--rounds 5] [--steps 25] [--only resnet18 64] [--images 200000]
                           [--output benchmarks/results/fresh.json]

Images a second of Keras's `fit` on batches of 64 of DeepLense Model I: those that `lensnet fit`
reads from prepared records, and those that it simulates with `data.fresh: true`. Both train the
same compiled network, in turns, in one process on the same two cores; figures are medians over the
rounds, and the ratio is the median of the rounds' ratios. The records fit into memory and are read
before. Beside it: the images a second that are simulated when nothing is trained, and the time of
processors that an image takes, that of the processes that simulate included, which says what to
expect where others use the machine as well.

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

NETWORKS, SIZES, BATCH = ("resnet18", "efficientnet_b0"), (64, 101), 64
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


def epoch_of(
    data: Any, steps: int, first: int, cpu_seconds: list[float], train: Callable[[Any], Any]
) -> Callable[[], float]:
    """Times one epoch after the other; seconds an image, and those of processors noted too.

    Args:
        data: whose training batches are gone through.
        steps: batches of an epoch.
        first: the first epoch's number.
        cpu_seconds: to which those of an image are appended.
        train: what is done with the batches.
    """
    epochs = itertools.count(first)

    def run() -> float:
        epoch = next(epochs)
        batches = data.training_batches(BATCH, first_epoch=epoch, epochs=epoch + 1).take(steps)
        start, start_cpu = time.perf_counter(), _cpu_seconds()
        train(batches)
        cpu_seconds.append((_cpu_seconds() - start_cpu) / (steps * BATCH))
        return (time.perf_counter() - start) / (steps * BATCH)

    return run


def _cpu_seconds() -> float:
    """Of this process and those that it has started, as far as they run."""
    ticks = 0
    for child in multiprocessing.active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
        ticks += sum(map(int, fields.split()[11:13]))
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def compiled_model(network: str, shape: tuple[int, int, int]) -> Any:
    """A network as `lensnet fit` trains it."""
    import keras

    from lensnet import models
    from lensnet.layers import accelerate

    model = accelerate(models.create(network, input_shape=shape, num_outputs=3))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-3), loss, metrics=["accuracy"], jit_compile=False)
    return model


def speed_row(network: str, size: int, steps: int, rounds: int, directory: Path) -> dict[str, Any]:
    """Lets both ways of training take turns."""
    import keras

    from lensnet.data import prepare

    keras.backend.clear_session()
    fixed, fresh = (
        prepare(experiment_of(network, size, fresh, steps, directory)) for fresh in (False, True)
    )
    model = compiled_model(network, fixed.image_shape)
    cpu: dict[str, list[float]] = {"records": [], "fresh": [], "simulation": []}

    def fit(batches: Any) -> None:
        model.fit(batches, steps_per_epoch=steps, verbose=0)

    def go_through(batches: Any) -> None:
        for _ in batches:
            pass

    contenders = {
        "records": epoch_of(fixed, steps, 0, cpu["records"], fit),
        "fresh": epoch_of(fresh, steps, 0, cpu["fresh"], fit),
        # Other images than those that it was just trained on, or is about to be.
        "simulation": epoch_of(fresh, steps, 1_000_000, cpu["simulation"], go_through),
    }
    with fresh.feeding():
        times = take_turns(contenders, rounds)
    return {
        "network": network,
        "size": size,
        **{
            f"{name}_images_per_second": round(1 / statistics.median(values), 1)
            for name, values in times.items()
        },
        "fresh_over_records": round(ratio(times, "records", "fresh"), 3),
        **{
            # Without that of the round that does not count.
            f"{name}_cpu_ms_an_image": round(1e3 * statistics.median(values[1:]), 3)
            for name, values in cpu.items()
        },
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
    parser.add_argument("--steps", type=int, default=25, help="batches a round (default 25)")
    parser.add_argument("--images", type=int, default=200_000, help="for memory (default 200000)")
    arguments = parser.parse_args()
    cells = selected(CELLS, arguments)
    use_cores()
    results = Results(
        arguments.output,
        {
            "environment": environment(("lensnet", "tensorflow", "keras", "numpy", "numba")),
            "batch": BATCH,
            "steps_a_round": arguments.steps,
            "rounds": arguments.rounds,
            "target_fresh_over_records": TARGET_RATIO,
        },
    )
    ways = ("records", "fresh", "simulation")
    columns = (*ways, "fresh/records", *(f"{name}, CPU ms" for name in ways))
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
            row = speed_row(network, int(size), arguments.steps, arguments.rounds, Path(name))
            results.add("speed", row)
            table.add(*row.values())
    results.close()


if __name__ == "__main__":
    main()
