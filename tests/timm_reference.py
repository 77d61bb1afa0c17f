"""timm's answers for weights that anyone can make again; see tests/models/timm_reference."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from pathlib import Path

import numpy as np

__all__ = ["ARCHITECTURES", "input_images", "outputs", "state", "trainable_parameters"]

_FOLDER = Path(__file__).parent / "models" / "timm_reference"

with gzip.open(_FOLDER / "parameters.json.gz", "rt") as _file:
    ARCHITECTURES: dict[str, dict] = json.load(_file)


def input_images(architecture: str) -> np.ndarray:
    """The images that the answers are for, (2, size, size, 3), float32."""
    size = ARCHITECTURES[architecture]["input_size"]
    images = np.random.default_rng(0).standard_normal((2, size, size, 3))
    return images.astype("float32")


def outputs(architecture: str) -> tuple[np.ndarray, np.ndarray]:
    """timm's features (2, C) and logits (2, 5)."""
    with np.load(_FOLDER / "outputs.npz") as arrays:
        return arrays[f"{architecture}/features"], arrays[f"{architecture}/logits"]


def trainable_parameters(architecture: str) -> int:
    """How many parameters timm trains."""
    return ARCHITECTURES[architecture]["trainable"]


def state(architecture: str) -> dict[str, np.ndarray]:
    """The weights, by timm's names and in PyTorch's layout."""
    shapes = ARCHITECTURES[architecture]["parameters"]
    return {name: _values(name, tuple(shape)) for name, shape in shapes.items()}


def _values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("running_var"):
        return rng.uniform(0.5, 1.5, shape)
    values = rng.standard_normal(shape)
    if name.endswith("running_mean"):
        return 0.1 * values
    is_scale = name.endswith("gamma") or (len(shape) == 1 and name.endswith("weight"))
    if is_scale:
        return 1 + 0.1 * values
    if len(shape) > 1:
        return values * math.sqrt(1 / math.prod(shape[1:]))
    return 0.1 * values
