"""Speed of the symmetric layers against plain ones, beside escnn in PyTorch.

python benchmarks/layers.py --yardsticks DIRECTORY/bin/python [--rounds 15]
                            [--output benchmarks/results/layers.json]

A training step is the forward pass and the gradients to input and weights of one layer, as within
a network; inference is the forward pass of the folded layer. All contenders of a case take turns
in one run, on the same cores, and ratios are medians over the rounds. DIRECTORY is made by
benchmarks/make_yardsticks.sh; without it the comparison with escnn is left out.
"""

from __future__ import annotations

import argparse
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

from lensnet.layers import GroupConv2D, RotationalConv2D, fold
from lensnet.symmetry import Group

HERE = Path(__file__).parent
CALLS = 5


def case(symmetry: str, kernel_size: int, channels: int) -> dict[str, Any]:
    """One case: so many channels in all, in and out, at 32 px and batch 32."""
    return {
        "symmetry": symmetry,
        "kernel_size": kernel_size,
        "channels": channels,
        "size": 32,
        "batch": 32,
    }


REGULAR = [
    case("c4", 3, 64),
    case("d4", 3, 64),
    case("c8", 5, 64),
    case("c4", 1, 256),
    case("d4", 1, 256),
]
ROTATIONAL = case("rot4", 3, 64)
BUILDING = [case("c8", 5, 256), case("c16", 5, 256)]


def layer_of(case: dict[str, Any]) -> keras.Layer:
    """The Keras layer of a case."""
    symmetry, channels, size = case["symmetry"], case["channels"], case["kernel_size"]
    if symmetry == "none":
        return keras.layers.Conv2D(channels, size, padding="same")
    if symmetry.startswith("rot"):
        return RotationalConv2D(channels, size, rotations=int(symmetry[3:]))
    return GroupConv2D(channels // Group.parse(symmetry).order, size, symmetry)


def images_of(case: dict[str, Any]) -> tf.Tensor:
    shape = (case["batch"], case["size"], case["size"], case["channels"])
    return tf.constant(np.random.default_rng(0).standard_normal(shape).astype("float32"))


def training_step(case: dict[str, Any]) -> Callable[[], float]:
    """Times forward and backward, to the input and to the weights."""
    layer, images = layer_of(case), images_of(case)
    layer.build(images.shape)
    upstream = images_of(case)

    @tf.function(jit_compile=False)
    def step(images: tf.Tensor) -> list[tf.Tensor]:
        weights = [weight.value for weight in layer.trainable_weights]
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images)
        gradients = tape.gradient(outputs, [images, *weights], upstream)
        # The outputs too, or the graph would leave out the forward pass of a plain convolution,
        # whose gradients do not need it.
        return [*gradients, outputs]

    return lambda: seconds_a_call(lambda: step(images)[-1][0, 0, 0].numpy(), CALLS)


def inference(case: dict[str, Any]) -> Callable[[], float]:
    """Times the forward pass of the folded layer."""
    images = images_of(case)
    image = keras.Input(images.shape[1:])
    model = fold(keras.Model(image, layer_of(case)(image)))

    @tf.function(jit_compile=False)
    def call(images: tf.Tensor) -> tf.Tensor:
        return model(images, training=False)

    return lambda: seconds_a_call(lambda: call(images)[0, 0, 0].numpy(), CALLS)


class Yardstick:
    """The process that times PyTorch and escnn."""

    def __init__(self, python: str):
        self.process = subprocess.Popen(
            [python, str(HERE / "yardstick_layers.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def time(self, what: str, case: dict[str, Any]) -> float:
        request = {"what": what, "case": case, "calls": CALLS if what != "build" else 1}
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("The yardstick's pipes are closed.")
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("The yardstick process ended; run it by hand to see why.")
        return float(json.loads(answer)["seconds"])


def contest(
    what: str, symmetric: dict[str, Any], yardstick: Yardstick | None, rounds: int
) -> dict[str, Any]:
    """Times a symmetric layer and the plain one, in TensorFlow and PyTorch, in turns."""
    plain = {**symmetric, "symmetry": "none"}
    ours = {"step": training_step, "inference": inference}[what]
    contenders = {"symmetric": ours(symmetric), "plain": ours(plain)}
    if yardstick is not None:
        if not symmetric["symmetry"].startswith("rot"):
            contenders["escnn"] = lambda: yardstick.time(what, symmetric)
        contenders["torch"] = lambda: yardstick.time(what, plain)
    times = take_turns(contenders, rounds)
    result: dict[str, Any] = {
        "what": what,
        "case": symmetric,
        "milliseconds": {
            name: round(1e3 * statistics.median(values), 3) for name, values in times.items()
        },
        "over_plain": round(ratio(times, "symmetric", "plain"), 3),
    }
    if "escnn" in times:
        result["escnn_over_torch"] = round(ratio(times, "escnn", "torch"), 3)
        result["over_escnn"] = round(ratio(times, "symmetric", "escnn"), 3)
    return result


def build_seconds(case: dict[str, Any]) -> float:
    """Seconds to make and build a layer, nothing of it cached."""
    start = time.perf_counter()
    layer_of(case).build((None, case["size"], case["size"], case["channels"]))
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--yardsticks", help="the Python that has PyTorch and escnn")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "layers.json")
    arguments = parser.parse_args()
    yardstick = Yardstick(arguments.yardsticks) if arguments.yardsticks else None

    building = [{"case": one, "seconds": round(build_seconds(one), 3)} for one in BUILDING]
    results = [
        contest(what, one, yardstick, arguments.rounds)
        for what, cases in (("step", [*REGULAR, ROTATIONAL]), ("inference", [*REGULAR, ROTATIONAL]))
        for one in cases
    ]
    rows = []
    for one in results:
        name = "{symmetry} {kernel_size}x{kernel_size}, {channels} channels".format(**one["case"])
        times = one["milliseconds"]
        rows.append(
            [
                one["what"],
                name,
                *(times.get(who, "") for who in ("symmetric", "plain", "escnn", "torch")),
                one["over_plain"],
                one.get("escnn_over_torch", ""),
                one.get("over_escnn", ""),
            ]
        )
    header = ["what", "layer", "ms", "plain", "escnn", "torch"]
    print_table([*header, "over plain", "escnn over torch", "over escnn"], rows)
    print()
    print_table(["building", "seconds"], [[b["case"]["symmetry"], b["seconds"]] for b in building])
    write_results(
        arguments.output,
        {
            "environment": environment(
                ("lensnet", "tensorflow", "keras", "numpy"),
                places={arguments.yardsticks: "DIRECTORY/bin/python"},
            ),
            "yardsticks": "PyTorch 2.13.0, escnn 1.0.11" if yardstick else None,
            "rounds": arguments.rounds,
            "results": results,
            "building": building,
        },
    )


if __name__ == "__main__":
    main()
