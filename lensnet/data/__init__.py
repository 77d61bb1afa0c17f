"""Reading, preparing and feeding images: from files as found in the wild to batches of tensors.

Importing this package imports neither TensorFlow nor astropy; asking it for what needs them does.

>>> from lensnet.data import BadFileError, read_image
>>> try:
...     read_image("missing.npy")
... except BadFileError as error:
...     error.reason
'there is no such file'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.data.bad_file import BadFileError
    from lensnet.data.file_reader import FileReader
    from lensnet.data.inputs import Input, read_inputs
    from lensnet.data.listing import Example
    from lensnet.data.prepared import Examples, PreparedData, prepare
    from lensnet.data.preprocessing import Preprocessing
    from lensnet.data.readers import read_bands, read_example, read_image
    from lensnet.data.splits import assign_split

__all__ = [
    "BadFileError",
    "Example",
    "Examples",
    "FileReader",
    "Input",
    "PreparedData",
    "Preprocessing",
    "assign_split",
    "prepare",
    "read_bands",
    "read_example",
    "read_image",
    "read_inputs",
]

_MODULES = {
    "BadFileError": "bad_file",
    "Example": "listing",
    "Examples": "prepared",
    "FileReader": "file_reader",
    "Input": "inputs",
    "PreparedData": "prepared",
    "Preprocessing": "preprocessing",
    "assign_split": "splits",
    "prepare": "prepared",
    "read_bands": "readers",
    "read_example": "readers",
    "read_image": "readers",
    "read_inputs": "inputs",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
