"""Training: from an experiment to a run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.training.fitting import fit

__all__ = ["fit"]


def __getattr__(name: str) -> Any:
    if name == "fit":
        from lensnet.training import fitting

        return fitting.fit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
