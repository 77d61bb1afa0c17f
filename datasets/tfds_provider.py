"""Tells TFDS of our data sets, so that `tfds.load("lens_finding/ground", ...)` finds them.

Imported as soon as both lensnet and TFDS are. A builder's module is imported when it is asked for.
"""

from __future__ import annotations

from typing import Any

from tensorflow_datasets.core import registered

from lensnet import registry

__all__ = ["LensnetProvider"]


class LensnetProvider:
    """Finds builders by the names that `lensnet datasets` lists."""

    def has_dataset(self, name: str) -> bool:
        """Returns whether there is a builder of a name."""
        return self._path(name) is not None

    def get_builder_cls(self, name: str) -> Any:
        """Returns the builder of a name."""
        path = self._path(name)
        if path is None:
            raise registered.DatasetNotFoundError(f"Dataset {name} not found.")
        return registry.load_object(path)

    @staticmethod
    def _path(name: str) -> str | None:
        for full_name in registry.datasets.names():
            spec = registry.datasets.get(full_name)
            if spec.dataset == name:
                return spec.builder
        return None


# First, because TFDS itself imports hundreds of builders before it knows that one is not its own.
registered.add_dataset_builder_provider(LensnetProvider(), index=0)
