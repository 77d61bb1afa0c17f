"""Training: from an experiment to a run folder."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.training.fitting import fit
    from lensnet.training.learning_rate_test import find_learning_rate
    from lensnet.training.series import fit_series

__all__ = ["find_learning_rate", "fit", "fit_series"]

_HOMES = {
    "find_learning_rate": "learning_rate_test",
    "fit": "fitting",
    "fit_series": "series",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"lensnet.training.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
