"""Simulates images of DeepLense Model I into one file, for benchmarks/gpu.py.

python benchmarks/model_i_images.py model_i.npz [--train 3000] [--test 600] [--size 64]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from lensnet.simulation import SubstructureSimulator


def images(count: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """So many images, the classes in turn, scaled to 0..1 each, and their labels.

    Returns:
        float16 array of shape (count, size, size, 1), int32 array of shape (count,).
    """
    simulator = SubstructureSimulator(image_size=size)
    classes = simulator.classes
    found = [
        simulator.simulate(classes[number % len(classes)], number // len(classes), seed).image
        for number in range(count)
    ]
    stacked = np.stack(found).astype("float32")
    lowest = stacked.min((1, 2, 3), keepdims=True)
    highest = stacked.max((1, 2, 3), keepdims=True)
    scaled = (stacked - lowest) / np.maximum(highest - lowest, 1e-6)
    return scaled.astype("float16"), np.arange(count, dtype="int32") % len(classes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--train", type=int, default=3000)
    parser.add_argument("--test", type=int, default=600)
    parser.add_argument("--size", type=int, default=64)
    arguments = parser.parse_args()
    arrays = {}
    for seed, part in enumerate(("train", "test")):
        found, labels = images(getattr(arguments, part), arguments.size, seed)
        arrays |= {f"{part}_images": found, f"{part}_labels": labels}
    np.savez_compressed(arguments.output, **arrays)
    print(f"Written: {arguments.output}, {arguments.output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
