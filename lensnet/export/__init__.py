"""Export: a run's model in a form that needs no lensnet."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.export.benchmarking import benchmark_run
    from lensnet.export.exporting import export_run
    from lensnet.export.formats import FORMATS

__all__ = ["FORMATS", "benchmark_run", "export_run"]

_LAZY = {
    "FORMATS": "lensnet.export.formats",
    "benchmark_run": "lensnet.export.benchmarking",
    "export_run": "lensnet.export.exporting",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
