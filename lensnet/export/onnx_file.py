"""Exports as ONNX files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lensnet.export.served_model import ServedModel

__all__ = ["open_export", "write"]


def write(served: ServedModel, folder: Path) -> None:
    """Writes model.onnx into a folder."""
    import onnx
    import tf2onnx

    model, _ = tf2onnx.convert.from_function(served.function, served.function.input_signature)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.helper.set_model_props(model, {"classes": json.dumps(served.classes)})
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def open_export(folder: Path, names: Sequence[str]) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what an ONNX model computes, from raw images to outputs (N, K)."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )

    def run(images: np.ndarray) -> np.ndarray:
        return np.concatenate(session.run(list(names), {"images": images}), axis=1)

    return run
