"""Looking at candidates: a page of stretched images, graded by keys, that works offline.

>>> from lensnet.inspection import links
>>> links.sky_links(150.1, 2.2)[1][0]
'ESASky'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.inspection.choosing import Choice
    from lensnet.inspection.inspecting import inspect_scores

__all__ = ["Choice", "inspect_scores"]

_MODULES = {"Choice": "choosing", "inspect_scores": "inspecting"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
