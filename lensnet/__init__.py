"""Rotation-equivariant Keras models for images of strong gravitational lenses.

`import lensnet` is quick: what needs Keras or TensorFlow is imported when it is used. It turns on
TensorFlow's kernels of oneDNN (`lensnet.onednn`). Once both lensnet and Keras are imported, in
either order, `keras.models.load_model` knows our layers and optimizers; once lensnet and TFDS are,
`tfds.load` knows our data sets.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lensnet._after_import import after_import
from lensnet.onednn import enable_onednn

if TYPE_CHECKING:
    from lensnet.prediction import load

__version__ = "0.1.0.dev0"

__all__ = [
    "config",
    "data",
    "datasets",
    "ensembling",
    "evaluation",
    "export",
    "layers",
    "load",
    "models",
    "prediction",
    "registry",
    "reporting",
    "simulation",
    "symmetry",
    "testing",
    "training",
]

enable_onednn()
after_import("keras", "lensnet.layers")
after_import("keras", "lensnet.optimizers")
after_import("keras", "lensnet.schedules")
after_import("tensorflow_datasets", "lensnet.datasets.tfds_provider")


def __getattr__(name: str) -> Any:
    if name == "load":
        return importlib.import_module("lensnet.prediction").load
    if name in __all__:
        return importlib.import_module(f"lensnet.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
