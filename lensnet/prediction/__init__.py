"""Prediction: a trained model on new images."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.prediction.loading import load
    from lensnet.prediction.predictor import Predictor
    from lensnet.prediction.scoring.scoring_files import merge_scores, score_files

__all__ = ["Predictor", "load", "merge_scores", "score_files"]

_LAZY = {
    "Predictor": "lensnet.prediction.predictor",
    "load": "lensnet.prediction.loading",
    "merge_scores": "lensnet.prediction.scoring.scoring_files",
    "score_files": "lensnet.prediction.scoring.scoring_files",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
