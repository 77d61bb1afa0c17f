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
    from lensnet.data.files.bad_file import BadFileError
    from lensnet.data.files.decoding import read_bands, read_example, read_image
    from lensnet.data.files.file_reader import FileReader
    from lensnet.data.pipeline.preprocessing import Preprocessing
    from lensnet.data.prepared import Examples, PreparedData
    from lensnet.data.preparing import find_prepared, open_prepared, prepare
    from lensnet.data.sources.folder_listing import Example
    from lensnet.data.sources.splits import assign_split

__all__ = [
    "BadFileError",
    "Example",
    "Examples",
    "FileReader",
    "PreparedData",
    "Preprocessing",
    "assign_split",
    "find_prepared",
    "open_prepared",
    "prepare",
    "read_bands",
    "read_example",
    "read_image",
]

_MODULES = {
    "BadFileError": "files.bad_file",
    "Example": "sources.folder_listing",
    "Examples": "prepared",
    "FileReader": "files.file_reader",
    "PreparedData": "prepared",
    "Preprocessing": "pipeline.preprocessing",
    "assign_split": "sources.splits",
    "find_prepared": "preparing",
    "open_prepared": "preparing",
    "prepare": "preparing",
    "read_bands": "files.decoding",
    "read_example": "files.decoding",
    "read_image": "files.decoding",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
