"""Speed of the zoo's networks beside timm in PyTorch and keras.applications.

python benchmarks/zoo.py --yardsticks DIRECTORY/bin/python [--rounds 5] [--only resnet50]
                         [--output benchmarks/results/zoo.json]

Images a second at 128 px: training steps (forward, backward, AdamW) of 32 images, inference of 64,
folded. The contenders of a row take turns in one run on the same cores; figures are medians over
the rounds, and ratios the medians of the rounds' ratios. Then symmetric networks over plain ones of
as many channels, and the seconds that it takes to make the largest. DIRECTORY is made by
benchmarks/make_yardsticks.sh; without it timm is left out.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from timing import environment, print_table, ratio, seconds_a_call, take_turns, write_results

import lensnet

HERE = Path(__file__).parent
SIZE = 128
BATCH = {"training": 32, "inference": 64}

# Our name (and timm's), and what keras.applications calls it.
NETWORKS = {
    "resnet50": "ResNet50",
    "efficientnet_b0": "EfficientNetB0",
    "mobilenetv3_small_100": "MobileNetV3Small",
    "densenet121": "DenseNet121",
    "convnext_tiny": "ConvNeXtTiny",
    "resnext50_32x4d": None,
}
SYMMETRIC = [
    ("resnet18", "c4"),
    ("resnet18", "d4"),
    ("efficientnet_b0", "c4"),
    ("efficientnet_b0", "d4"),
]
BUILT = ["resnet50", "densenet201"]


def ours(name: str, symmetry: str = "none") -> keras.Model:
    """A network of the zoo for five classes, as `lensnet fit` trains it."""
    model = lensnet.models.create(
        name, input_shape=(SIZE, SIZE, 3), num_outputs=5, symmetry=symmetry
    )
    return lensnet.layers.accelerate(model)


def theirs(name: str) -> keras.Model:
    """A network of keras.applications for five classes, giving logits."""
    make = getattr(keras.applications, name)
    return make(weights=None, input_shape=(SIZE, SIZE, 3), classes=5, classifier_activation=None)


def images(batch: int) -> tf.Tensor:
    rng = np.random.default_rng(0)
    return tf.constant(rng.standard_normal((batch, SIZE, SIZE, 3)).astype("float32"))


def training(model: keras.Model) -> Callable[[], float]:
    """Times a step of `fit`: forward, backward, AdamW."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-4), loss, jit_compile=False)
    model.make_train_function()
    batch = images(BATCH["training"]), tf.zeros(BATCH["training"], tf.int32)
    step = tf.function(model.train_step, jit_compile=False, reduce_retracing=True)
    return lambda: seconds_a_call(lambda: float(step(batch)["loss"]), 2)


def inference(model: keras.Model) -> Callable[[], float]:
    """Times the forward pass of a model."""
    batch = images(BATCH["inference"])
    call = tf.function(lambda images: model(images, training=False), jit_compile=False)
    return lambda: seconds_a_call(lambda: call(batch)[0, 0].numpy(), 2)


class Yardstick:
    """The process that times timm."""

    def __init__(self, python: str):
        self.process = subprocess.Popen(
            [python, str(HERE / "yardstick_zoo.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def time(self, what: str, name: str) -> float:
        request = {"what": what, "name": name, "size": SIZE, "batch": BATCH[what], "calls": 2}
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("The yardstick's pipes are closed.")
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("The yardstick process ended; run it by hand to see why.")
        return float(json.loads(answer)["seconds"])


def contest(what: str, name: str, yardstick: Yardstick | None, rounds: int) -> dict[str, Any]:
    """Times one network of ours, keras.applications' and timm's in turns."""
    keras.backend.clear_session()
    gc.collect()
    model = ours(name)
    if what == "inference":
        model = lensnet.layers.fold(model)
    timer = {"training": training, "inference": inference}[what]
    contenders = {"lensnet": timer(model)}
    if NETWORKS[name]:
        contenders["keras.applications"] = timer(theirs(NETWORKS[name]))
    if yardstick is not None:
        contenders["timm"] = lambda: yardstick.time(what, name)
    times = take_turns(contenders, rounds)
    print(f"{what} {name}: measured", flush=True)
    return {
        "what": what,
        "name": name,
        "images_per_second": {
            who: round(BATCH[what] / statistics.median(values), 1) for who, values in times.items()
        },
        "speed_over": {
            who: round(ratio(times, who, "lensnet"), 3) for who in times if who != "lensnet"
        },
    }


def symmetric_contest(what: str, name: str, symmetry: str, rounds: int) -> dict[str, Any]:
    """Times a symmetric network against the plain one of as many channels."""
    keras.backend.clear_session()
    gc.collect()
    models = {"symmetric": ours(name, symmetry), "plain": ours(name)}
    if what == "inference":
        models = {who: lensnet.layers.fold(model) for who, model in models.items()}
    timer = {"training": training, "inference": inference}[what]
    times = take_turns({who: timer(model) for who, model in models.items()}, rounds)
    return {
        "what": what,
        "name": name,
        "symmetry": symmetry,
        "time_over_plain": round(ratio(times, "symmetric", "plain"), 3),
    }


def seconds_to_create(name: str) -> float:
    """The median of three."""

    def once() -> float:
        keras.backend.clear_session()
        start = time.perf_counter()
        ours(name)
        return time.perf_counter() - start

    return round(statistics.median(once() for _ in range(3)), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--yardsticks", help="the Python that has PyTorch and timm")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--output", type=Path, default=HERE / "results" / "zoo.json")
    arguments = parser.parse_args()
    yardstick = Yardstick(arguments.yardsticks) if arguments.yardsticks else None

    created = {name: seconds_to_create(name) for name in BUILT}
    results = [
        contest(what, name, yardstick, arguments.rounds)
        for what in BATCH
        for name in arguments.only
    ]
    symmetric = [
        symmetric_contest(what, name, symmetry, arguments.rounds)
        for what in BATCH
        for name, symmetry in SYMMETRIC
    ]
    who = ("lensnet", "keras.applications", "timm")
    print_table(
        ["what", "network", *who, "over keras.applications", "over timm"],
        [
            [
                one["what"],
                one["name"],
                *(one["images_per_second"].get(name, "") for name in who),
                *(one["speed_over"].get(name, "") for name in who[1:]),
            ]
            for one in results
        ],
    )
    print()
    print_table(
        ["what", "network", "symmetry", "time over plain"],
        [[one["what"], one["name"], one["symmetry"], one["time_over_plain"]] for one in symmetric],
    )
    print()
    print_table(["network", "seconds to create"], [[name, took] for name, took in created.items()])
    write_results(
        arguments.output,
        {
            "environment": environment(
                ("lensnet", "tensorflow", "keras"),
                {str(arguments.yardsticks): "DIRECTORY/bin/python"},
            ),
            "size": SIZE,
            "batch": BATCH,
            "results": results,
            "symmetric_over_plain": symmetric,
            "seconds_to_create": created,
        },
    )


if __name__ == "__main__":
    main()
