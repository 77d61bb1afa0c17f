"""The next round of a search: what people say of candidates becomes training data.

`learn` makes of a run and of grades the next run; `selection` has the weights that undo how the
candidates were selected. Planning a round needs neither TensorFlow nor a model.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.learning.learning import learn
    from lensnet.learning.request import Request
    from lensnet.learning.selection import SelectionWeights, selection_weights

__all__ = ["Request", "SelectionWeights", "learn", "selection_weights"]

_MODULES = {
    "Request": "request",
    "SelectionWeights": "selection",
    "learn": "learning",
    "selection_weights": "selection",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
