"""Named things that are imported only when somebody asks for them.

A configuration names a task, a data set and a backbone. To check such a name without importing
TensorFlow, each kind of thing has a registry here, at the lowest level, which knows the module
(given as a string) that registers its entries. The entries are specifications: light values that
say what the thing is and where its code lies.

Example:

>>> from lensnet import registry
>>> "resnet18" in registry.backbones
True
"""

from __future__ import annotations

import fnmatch
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lensnet.errors import UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from lensnet.config.backbone import BackboneSpec
    from lensnet.config.dataset import DatasetSpec
    from lensnet.config.task import TaskSpec

__all__ = ["Registry", "backbones", "datasets", "load_object", "tasks"]

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """A table of names that fills itself by importing its provider on first use.

    Args:
        kind: what the names name, in the singular, for messages.
        provider: the module whose import registers every entry. It must be cheap to import:
            a test holds it to that.
    """

    def __init__(self, kind: str, provider: str):
        self.kind = kind
        self.provider = provider
        self._entries: dict[str, Entry] = {}
        self._makers: dict[str, Callable[[str], Entry]] = {}
        self._filled = False

    def register(self, name: str, entry: Entry) -> None:
        """Adds an entry.

        Raises:
            ValueError: the name is taken by another entry.
        """
        if self._entries.get(name, entry) != entry:
            raise ValueError(f'The {self.kind} "{name}" is registered twice.')
        self._entries[name] = entry

    def remove(self, name: str) -> None:
        """Takes an entry out again, so that another can have its name.

        Raises:
            KeyError: no entry has that name.
        """
        del self._entries[name]

    def register_prefix(self, prefix: str, make: Callable[[str], Entry]) -> None:
        """Adds every name that begins with `prefix`; `make` makes the entry of such a name."""
        self._makers[prefix] = make

    def __contains__(self, name: object) -> bool:
        self._fill()
        return name in self._entries or str(name).startswith(tuple(self._makers))

    def names(self, pattern: str = "*") -> list[str]:
        """Returns the names that match a shell pattern, in the order of registration."""
        self._fill()
        return [name for name in self._entries if fnmatch.fnmatchcase(name, pattern)]

    def get(self, name: str) -> Entry:
        """Returns the entry of a name.

        Raises:
            UnknownNameError: no such name; the message gives the nearest and the choices.
        """
        self._fill()
        for prefix, make in self._makers.items():
            if name.startswith(prefix):
                return make(name)
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownNameError(
                f'There is no {self.kind} "{name}".{did_you_mean(name, self._entries)} '
                f"Known: {', '.join(self._entries)}."
            ) from None

    def _fill(self) -> None:
        if not self._filled:
            importlib.import_module(self.provider)
            self._filled = True


def load_object(path: str) -> Any:
    """Imports what a string such as `"package.module:name"` names."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


backbones: Registry[BackboneSpec] = Registry("backbone", provider="lensnet.models")
datasets: Registry[DatasetSpec] = Registry("data set", provider="lensnet.datasets")
tasks: Registry[TaskSpec] = Registry("task", provider="lensnet.tasks")
