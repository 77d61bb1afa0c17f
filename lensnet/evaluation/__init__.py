"""How good a model is, and how steady when its images are rotated.

`metrics` holds the figures of merit of each task, `invariance` the spread of scores under
rotation, `figures` the plots of a run. Everything works on NumPy arrays; names are imported when
they are first used, so that importing this package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.evaluation import figures, invariance, metrics
    from lensnet.evaluation.calibration import expected_calibration_error
    from lensnet.evaluation.invariance import Invariance, rotation_report, rotation_std
    from lensnet.evaluation.metrics import (
        binary_metrics,
        classification_metrics,
        regression_metrics,
        regression_metrics_with_sigma,
        true_positive_rate_at,
        true_positive_rate_at_fpr,
    )

__all__ = [
    "Invariance",
    "binary_metrics",
    "classification_metrics",
    "expected_calibration_error",
    "figures",
    "invariance",
    "metrics",
    "regression_metrics",
    "regression_metrics_with_sigma",
    "rotation_report",
    "rotation_std",
    "true_positive_rate_at",
    "true_positive_rate_at_fpr",
]

_HOMES = {
    "Invariance": "invariance",
    "binary_metrics": "metrics",
    "classification_metrics": "metrics",
    "expected_calibration_error": "calibration",
    "regression_metrics": "metrics",
    "regression_metrics_with_sigma": "metrics",
    "rotation_report": "invariance",
    "rotation_std": "invariance",
    "true_positive_rate_at": "metrics",
    "true_positive_rate_at_fpr": "metrics",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
