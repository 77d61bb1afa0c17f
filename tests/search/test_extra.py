"""A search without the packages that it needs."""

import importlib.util

import pytest

from lensnet.errors import ConfigurationError
from lensnet.search.extra import check_installed


def test_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"needs optuna and cmaes: pip install 'lensnet"):
        check_installed()


def test_the_packages_are_there():
    for name in ("optuna", "cmaes"):
        pytest.importorskip(name, reason="the extra `search` is not installed: no search is tested")
    check_installed()
