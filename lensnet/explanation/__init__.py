"""Explanation: where in an image a trained network finds what it answers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.explanation.activation_map import grad_cam
    from lensnet.explanation.explaining import Explainer, Explanation, explain_inputs, explain_test
    from lensnet.explanation.occlusion_map import occlusion

__all__ = [
    "Explainer",
    "Explanation",
    "explain_inputs",
    "explain_test",
    "grad_cam",
    "occlusion",
]

_LAZY = {
    "Explainer": "lensnet.explanation.explaining",
    "Explanation": "lensnet.explanation.explaining",
    "explain_inputs": "lensnet.explanation.explaining",
    "explain_test": "lensnet.explanation.explaining",
    "grad_cam": "lensnet.explanation.activation_map",
    "occlusion": "lensnet.explanation.occlusion_map",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
