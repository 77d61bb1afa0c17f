"""Quantisation of LiteRT files: weights as float16, or all of the network in int8."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from ai_edge_quantizer import qtyping
from ai_edge_quantizer.quantizer import AlgorithmName, Quantizer

from lensnet.data.cpus import available_cpus
from lensnet.export.served_model import ServedModel

__all__ = ["quantize"]

# Operations by the names of what they give: see `ServedModel.function`. Normalisation is computed
# on raw pixels, whose range 8 bits do not hold, and stays as it is.
_NETWORK = "^network/"

_WITH_WEIGHTS = (
    qtyping.TFLOperationName.CONV_2D,
    qtyping.TFLOperationName.DEPTHWISE_CONV_2D,
    qtyping.TFLOperationName.FULLY_CONNECTED,
)

# All activations of a batch are kept while it is looked at.
_MOST_PIXELS = 2**18

_FLOAT16 = qtyping.OpQuantizationConfig(
    weight_tensor_config=qtyping.TensorQuantizationConfig(
        num_bits=16, dtype=qtyping.TensorDataType.FLOAT
    ),
    compute_precision=qtyping.ComputePrecision.FLOAT,
    explicit_dequantize=True,
)


def quantize(folder: Path, how: str, calibration: np.ndarray | None, served: ServedModel) -> None:
    """Quantises model.tflite in a folder.

    Args:
        folder: of the export.
        how: `float16`, which halves the file and computes in float32, or `int8`. Then the last
            dense layer stays in float32: 8 bits of a logit would leave 256 different scores.
        calibration: for int8, raw images (N, H, W, C) by which the range of each activation is
            known.
        served: what the folder holds.
    """
    path = folder / "model.tflite"
    quantizer = Quantizer(bytearray(path.read_bytes()))
    if how == "float16":
        for operation in _WITH_WEIGHTS:
            quantizer.update_quantization_recipe(
                _NETWORK, operation, _FLOAT16, AlgorithmName.FLOAT_CASTING
            )
        result = quantizer.quantize()
    else:
        if calibration is None:
            raise ValueError("int8 needs images for its calibration.")
        quantizer.add_static_config(
            _NETWORK,
            qtyping.TFLOperationName.ALL_SUPPORTED,
            activation_num_bits=8,
            weight_num_bits=8,
        )
        for name in _last_dense_layers(served.model):
            quantizer.update_quantization_recipe(
                f"^network/.*{re.escape(name)}",
                qtyping.TFLOperationName.FULLY_CONNECTED,
                algorithm_key=AlgorithmName.NO_QUANTIZE,
            )
        result = quantizer.quantize(_ranges(quantizer, calibration))
    path.write_bytes(bytes(result.quantized_model))


def _ranges(quantizer: Quantizer, images: np.ndarray) -> dict[str, Any]:
    """The smallest and the largest value of each activation over all images.

    The quantizer itself would take a moving mean of the batches' extremes, which cuts the largest
    off, and of an output that is one number an image leaves nothing.
    """
    found: dict[str, Any] = {}
    for batch in _batches(images):
        inputs = {"serving_default": [{"images": batch}]}
        for name, range_ in quantizer.calibrate(inputs, num_threads=available_cpus()).items():
            known = found.setdefault(name, range_)
            found[name] = {
                **known,
                "min": np.minimum(known["min"], range_["min"]),
                "max": np.maximum(known["max"], range_["max"]),
            }
    return found


def _batches(images: np.ndarray) -> Iterator[np.ndarray]:
    count = max(1, _MOST_PIXELS // int(np.prod(images.shape[1:])))
    for start in range(0, len(images), count):
        yield images[start : start + count]


def _last_dense_layers(model: keras.Model) -> Sequence[str]:
    """The names of the last dense layers of a model and of the models within it."""
    names = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Dense)][-1:]
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            names += _last_dense_layers(layer)
    return names
