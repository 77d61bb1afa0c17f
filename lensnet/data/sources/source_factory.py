"""From what is known of a data set to the source of its examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lensnet.config.dataset import DatasetSpec
from lensnet.data.sources.folder_source import FolderSource
from lensnet.data.sources.simulated_source import SimulatedSource
from lensnet.data.sources.source import Source
from lensnet.errors import DataError
from lensnet.registry import load_object

__all__ = ["make_source"]


def make_source(spec: DatasetSpec, options: Any, source_dir: Path | None, seed: int) -> Source:
    """Returns where the examples of a data set come from.

    Args:
        spec: the data set.
        options: `data.options`, of the spec's type.
        source_dir: the user's files; None for a simulation.
        seed: the seed of a simulation.

    Raises:
        DataError: the files are missing, or not what the data set reads.
    """
    if spec.simulator is not None:
        simulator = load_object(spec.simulator)(**options.simulator_arguments())
        return SimulatedSource(simulator, options.simulated_examples(), seed)
    if source_dir is None:
        raise DataError(
            f"{spec.name} reads your own files: say where they are, with data.source_dir, with "
            f'builder_kwargs={{"source_dir": ...}} of tfds.load, or with tfds build --manual_dir.'
        )
    if spec.folders is not None:
        root, layout = spec.folders.found_in(source_dir)
        return FolderSource(
            root,
            options,
            layout.folders,
            numbers=layout.numbers,
            target=layout.target,
        )
    if spec.source is None:
        raise ValueError(f"The data set {spec.name} names no simulator, folders or source.")
    made: Source = load_object(spec.source)(source_dir, options)
    return made
