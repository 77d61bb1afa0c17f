"""Embeddings: the pooled features of a trained network, and what lies near what among them.

>>> import numpy as np
>>> from lensnet.embedding import principal_components
>>> principal_components(np.diag([3.0, 2.0, 1.0])).points.shape
(3, 2)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensnet.embedding.embedding import Embedding, embed_images
    from lensnet.embedding.feature_model import Embedder, feature_model
    from lensnet.embedding.maps import principal_components

__all__ = ["Embedder", "Embedding", "embed_images", "feature_model", "principal_components"]

_LAZY = {
    "Embedder": "lensnet.embedding.feature_model",
    "Embedding": "lensnet.embedding.embedding",
    "embed_images": "lensnet.embedding.embedding",
    "feature_model": "lensnet.embedding.feature_model",
    "principal_components": "lensnet.embedding.maps",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
