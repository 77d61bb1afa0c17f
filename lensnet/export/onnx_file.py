"""Exports as ONNX files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lensnet.export.served_model import ServedModel

__all__ = ["open_export", "write"]


def write(served: ServedModel, folder: Path) -> None:
    """Writes model.onnx into a folder."""
    import onnx
    import tf2onnx

    model, _ = tf2onnx.convert.from_function(
        served.function,
        served.function.input_signature,
        custom_op_handlers={"Erfc": (_complement_of_erf, [])},
    )
    onnx.checker.check_model(model)  # it leaves in what it cannot convert
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


def _complement_of_erf(graph: Any, node: Any, name: str, arguments: Any) -> None:
    """Erfc, of which Keras makes GELU, and which ONNX does not know: 1 - Erf."""
    shapes, dtypes = node.output_shapes, node.output_dtypes
    one = graph.make_const(f"{name}/one", np.ones((), np.float32))
    erf = graph.make_node("Erf", node.input, shapes=shapes, dtypes=dtypes)
    graph.remove_node(node.name)
    graph.make_node(
        "Sub",
        [one.output[0], erf.output[0]],
        name=node.name,
        outputs=node.output,
        shapes=shapes,
        dtypes=dtypes,
    )
