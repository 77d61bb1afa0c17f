"""What a run was made with: versions, devices, revision, seed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lensnet
from lensnet import onednn

__all__ = ["describe_environment"]

_PACKAGES = (
    "tensorflow",
    "keras",
    "tensorflow-datasets",
    "numpy",
    "astropy",
    "lenstronomy",
    "scikit-learn",
)


def describe_environment(seed: int) -> dict[str, Any]:
    """Returns what `environment.json` holds, as plain values."""
    import tensorflow as tf

    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "seed": seed,
        "lensnet": lensnet.__version__,
        "git_revision": _git_revision(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "vector_extensions": onednn.vector_extensions(),
        onednn.VARIABLE: os.environ.get(onednn.VARIABLE),
        "devices": [
            {"name": device.name, "type": device.device_type}
            for device in tf.config.list_logical_devices()
        ],
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    """The revision of the checkout that lensnet runs from, None where it is none."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            cwd=Path(lensnet.__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
