"""Whether a command can write where it is to, checked before TensorFlow is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lensnet import files

if TYPE_CHECKING:
    from lensnet.config import Experiment

__all__ = ["check_data_dir"]


def check_data_dir(experiment: Experiment) -> None:
    """Checks that prepared data can be written, unless there may be some already to be read.

    Raises:
        ConfigurationError: they cannot.
    """
    data_dir = experiment.data_dir
    if not (data_dir / experiment.data.dataset.partition("/")[0]).is_dir():
        files.check_writable(
            data_dir, "Set data.data_dir, or $LENSNET_DATA_DIR, to a directory of yours."
        )
