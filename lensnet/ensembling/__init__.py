"""Ensembles: several runs that answer as one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.ensembling.ensembling import ensemble_runs

__all__ = ["ensemble_runs"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("lensnet.ensembling.ensembling"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
