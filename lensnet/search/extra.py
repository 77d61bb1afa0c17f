"""Whether what a search needs beside lensnet is installed."""

from __future__ import annotations

import importlib.util

from lensnet.errors import ConfigurationError

__all__ = ["check_installed"]


def check_installed() -> None:
    """Checks that the packages of the extra `search` are installed.

    Raises:
        ConfigurationError: one is missing.
    """
    missing = [name for name in ("optuna", "cmaes") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"A search needs {' and '.join(missing)}: pip install 'lensnet[search]'."
        )
