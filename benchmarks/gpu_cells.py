"""What benchmarks/gpu.py measures, and at which sizes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Settings", "cells_of", "full", "smoke"]

Requests = dict[str, dict[str, Any]]
"""What each contender is to make, by contender."""


@dataclass(frozen=True)
class Settings:
    """Sizes.

    Args:
        networks: by name.
        symmetries: beside the plain network.
        size: pixels a side of the networks' images.
        batch: images of a training step, and of inference.
        layers: symmetry, side of the filter and channels, each.
        layer_size: pixels a side of the layers' maps, and images.
        model_i: symmetries of the trained networks.
        epochs: of training.
        model_i_width: of the trained networks' channels, over those of a resnet18.
    """

    networks: tuple[str, ...]
    symmetries: tuple[str, ...]
    size: int
    batch: dict[str, int]
    layers: tuple[tuple[str, int, int], ...]
    layer_size: tuple[int, int]
    model_i: tuple[str, ...]
    epochs: int
    model_i_width: float = 1.0


def full() -> Settings:
    """What fills a large card."""
    return Settings(
        networks=("resnet50", "efficientnet_b0", "convnext_tiny"),
        symmetries=("c4", "d4"),
        size=128,
        batch={"training": 128, "inference": 256},
        layers=(("c4", 3, 64), ("d4", 3, 64), ("c8", 5, 64), ("c4", 1, 256), ("d4", 1, 256)),
        layer_size=(32, 256),
        model_i=("none", "c4", "d4"),
        epochs=40,
    )


def smoke() -> Settings:
    """What a CPU does within minutes."""
    return Settings(
        networks=("resnet18",),
        symmetries=("c4",),
        size=32,
        batch={"training": 4, "inference": 4},
        layers=(("c4", 3, 16),),
        layer_size=(8, 4),
        model_i=("c4",),
        epochs=1,
        model_i_width=0.25,
    )


def cells_of(settings: Settings, images: Path | None) -> dict[str, dict[str, Requests]]:
    """The requests of each contender of each cell, by part and cell, the most telling first."""
    parts = {"layers": _layers(settings), "networks": _networks(settings)}
    if images is not None:
        parts["model_i"] = _model_i(settings, images)
    return parts


def _layers(settings: Settings) -> dict[str, Requests]:
    cells = {}
    size, batch = settings.layer_size
    for precision in ("bfloat16", "float32"):
        for what in ("training", "inference"):
            for symmetry, side, channels in settings.layers:
                case = {
                    "part": "layer",
                    "what": what,
                    "precision": precision,
                    "kernel_size": side,
                    "channels": channels,
                    "size": size,
                    "batch": batch,
                }
                plain, symmetric = {**case, "symmetry": "none"}, {**case, "symmetry": symmetry}
                cells[f"layers/{symmetry}/{side}x{side}/{channels}/{what}/{precision}"] = {
                    "symmetric": symmetric,
                    "plain": plain,
                    "escnn": symmetric,
                    "torch": plain,
                }
    return cells


def _networks(settings: Settings) -> dict[str, Requests]:
    cells = {}
    for precision in ("bfloat16", "float32"):
        for what in ("training", "inference"):
            for name in settings.networks:
                case = {
                    "part": "network",
                    "what": what,
                    "precision": precision,
                    "name": name,
                    "size": settings.size,
                    "batch": settings.batch[what],
                }
                requests = {"plain": {**case, "symmetry": "none"}}
                requests |= {one: {**case, "symmetry": one} for one in settings.symmetries}
                requests["plain in PyTorch"] = requests["plain"]
                requests["c4 in PyTorch"] = requests["c4"]
                requests["timm"] = {**case, "part": "timm", "compiled": False}
                requests["timm compiled"] = {**case, "part": "timm", "compiled": True}
                cells[f"networks/{name}/{what}/{precision}"] = requests
    return cells


def _model_i(settings: Settings, images: Path) -> dict[str, Requests]:
    case = {
        "part": "training",
        "precision": "bfloat16",
        "name": "resnet18",
        "width": settings.model_i_width,
        "file": str(images.resolve()),
        "batch": 64,
        "epochs": settings.epochs,
        "learning_rate": 1e-3,
        "seed": 0,
    }
    return {
        f"model_i/resnet18/{symmetry}": {"plain": {**case, "symmetry": symmetry}}
        for symmetry in settings.model_i
    }
