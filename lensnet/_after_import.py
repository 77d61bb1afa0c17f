"""Importing a module of ours as soon as another package has been imported.

Keras finds a custom layer by the name under which it was registered, and a layer is registered
when its module is imported. Importing our layers with `import lensnet` would import Keras and
TensorFlow, five seconds that `lensnet --help` has no use for.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

__all__ = ["after_import"]


def after_import(package: str, module: str) -> None:
    """Imports `module` now if `package` is imported already, else right after it is."""
    if package in sys.modules:
        importlib.import_module(module)
    else:
        sys.meta_path.insert(0, _Finder(package, module))


class _Finder(importlib.abc.MetaPathFinder):
    """Lets the package be found as ever, and adds one step to its loading."""

    def __init__(self, package: str, module: str):
        self.package = package
        self.module = module

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.package:
            return None
        # Out of the way while the others look. Back again afterwards, for to be looked up is not
        # yet to be imported: TensorFlow asks where Keras is before anybody imports it.
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self.module)
        return spec


class _Loader(importlib.abc.Loader):
    """Loads as the package's own loader does, then imports a module."""

    def __init__(self, loader: importlib.abc.Loader, module: str):
        self.loader = loader
        self.module = module

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        importlib.import_module(self.module)

    def __getattr__(self, name: str) -> object:
        return getattr(self.loader, name)
