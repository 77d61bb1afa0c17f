"""What is in the data, before anything is trained on them: `explore(experiment)`.

Counts, pixel values, sample images, duplicates across splits and what the records know besides,
found in two passes that hold a batch of images at a time. `write_page` makes one HTML file of it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.exploration.exploring import Exploration, explore
    from lensnet.exploration.page import write_page

__all__ = ["Exploration", "explore", "write_page"]

_MODULES = {"Exploration": "exploring", "explore": "exploring", "write_page": "page"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
