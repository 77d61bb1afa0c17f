"""The formats of exports: what each is made by and read by; imports no framework.

ONNX is made by tf2onnx 1.17 out of the same traced function as a SavedModel. It says nothing of
NumPy 2, and the one function of it that NumPy 2 has removed is met in models above 2 GB alone; its
results are checked like all others.

LiteRT files are made by TensorFlow's own converter, and float16 and int8 by ai-edge-quantizer out
of its result. The converter's own quantisation takes all of the graph: it would round raw pixels,
sky and all, to 256 values, and what is subtracted from them to the 11 bits of float16. The
quantizer leaves the preprocessing as it is.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from lensnet.errors import ConfigurationError

__all__ = ["FORMATS", "QUANTIZATIONS", "Format", "check_format", "export_name"]

QUANTIZATIONS = ("float16", "int8")


@dataclass(frozen=True)
class Format:
    """A format that runs are exported in.

    Args:
        words: what it is called in a message.
        file: the model's file in the folder of the export; None where it is the folder itself.
        module: what makes and reads it. Its `write` goes from a
            `lensnet.export.served_model.ServedModel` and a folder that is there to the files in it;
            its `open_export` from the folder and the names of the outputs to a function from raw
            images (N, H, W, C) to outputs (N, K), which computes as the format's users do.
        needs: packages that are imported for it.
        extra: the extra of lensnet that installs them.
        quantize: `"module:function"`, from the folder, the name of a quantisation, the images for
            its calibration, and the `ServedModel`, which puts the quantised model in the place of
            the other; None where there is no quantisation.
    """

    words: str
    file: str | None
    module: str
    needs: tuple[str, ...] = ()
    extra: str | None = None
    quantize: str | None = None

    @property
    def write(self) -> str:
        """`"module:function"` that writes it."""
        return f"{self.module}:write"

    @property
    def open(self) -> str:
        """`"module:function"` that reads it."""
        return f"{self.module}:open_export"


FORMATS: dict[str, Format] = {
    "saved_model": Format(
        words="a SavedModel",
        file=None,
        module="lensnet.export.saved_model",
    ),
    "keras": Format(
        words="a Keras model",
        file="model.keras",
        module="lensnet.export.keras_file",
    ),
    "litert": Format(
        words="a LiteRT model",
        file="model.tflite",
        module="lensnet.export.litert_file",
        needs=("ai_edge_litert", "ai_edge_quantizer"),
        extra="litert",
        quantize="lensnet.export.litert_quantization:quantize",
    ),
    "onnx": Format(
        words="an ONNX model",
        file="model.onnx",
        module="lensnet.export.onnx_file",
        needs=("tf2onnx", "onnx", "onnxruntime"),
        extra="onnx",
    ),
}
"""By the name in `lensnet export --format`."""


def check_format(name: str, quantize: str | None) -> Format:
    """Returns a format that can be made here.

    Args:
        name: a key of `FORMATS`.
        quantize: one of `QUANTIZATIONS`, or None.

    Raises:
        ConfigurationError: there is no such format or quantisation, or not of this format, or a
            package is missing.
    """
    if name not in FORMATS:
        raise ConfigurationError(f'There is no format "{name}". Formats: {", ".join(FORMATS)}.')
    format = FORMATS[name]
    if quantize is not None and quantize not in QUANTIZATIONS:
        raise ConfigurationError(
            f'There is no quantisation "{quantize}". Choose of {", ".join(QUANTIZATIONS)}.'
        )
    if quantize is not None and format.quantize is None:
        able = " or ".join(name for name, known in FORMATS.items() if known.quantize is not None)
        raise ConfigurationError(
            f"{quantize} is for {able}; {name} is written in float32. Leave --quantize out, or use "
            f"--format {able}."
        )
    missing = [package for package in format.needs if importlib.util.find_spec(package) is None]
    if missing:
        raise ConfigurationError(
            f"The format {name} needs {' and '.join(missing)}, which {_are(missing)} not "
            f"installed: pip install 'lensnet[{format.extra}]'."
        )
    return format


def export_name(name: str, quantize: str | None) -> str:
    """Returns what the folder of an export is called.

    >>> export_name("litert", "int8"), export_name("onnx", None)
    ('litert_int8', 'onnx')
    """
    return name if quantize is None else f"{name}_{quantize}"


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
