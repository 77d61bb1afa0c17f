"""Exports as LiteRT (TensorFlow Lite) files, with the signature `serving_default`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

# TensorFlow has no public name for it; its converter of SavedModels leaves variables that a Keras
# model owns where they are, in resources that the file has no values for.
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from lensnet.data.cpus import available_cpus
from lensnet.export.served_model import ServedModel, refuse_other_sizes

__all__ = ["open_export", "write"]


def write(served: ServedModel, folder: Path) -> None:
    """Writes model.tflite, in float32, into a folder."""
    constant = convert_variables_to_constants_v2(served.function.get_concrete_function())
    names = sorted(served.outputs)  # as TensorFlow flattens a dictionary
    signature = served.function.input_signature

    @tf.function(input_signature=signature)
    def serve(images: Any) -> dict[str, Any]:
        images = refuse_other_sizes(images, served.native_shape, tf.minimum)
        return dict(zip(names, constant(images), strict=True))

    module = tf.Module()
    module.serve = serve
    with tempfile.TemporaryDirectory() as directory:
        # Gradients of activations would be saved with it, which hold tensors of the first function.
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, directory, {"serving_default": serve}, options)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            directory, signature_keys=["serving_default"]
        )
        (folder / "model.tflite").write_bytes(converter.convert())


def open_export(folder: Path, names: Sequence[str]) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what a LiteRT model computes, from raw images to outputs (N, K)."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(folder / "model.tflite"), num_threads=available_cpus())
    interpreter.allocate_tensors()  # which says what it computes by, now and not in between
    runner = interpreter.get_signature_runner("serving_default")

    def run(images: np.ndarray) -> np.ndarray:
        outputs = runner(images=images)
        return np.concatenate([outputs[name] for name in names], axis=1)

    return run
