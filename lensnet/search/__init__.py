"""Searching for the best values of an experiment's keys, by many processes together."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.search.folder import SearchFolder
    from lensnet.search.report import write_search_report
    from lensnet.search.searching import search

__all__ = ["SearchFolder", "search", "write_search_report"]

_MODULES = {"SearchFolder": "folder", "search": "searching", "write_search_report": "report"}


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module(f"lensnet.search.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
