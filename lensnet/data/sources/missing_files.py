"""Whether the files that a table names are there, told before anything slow begins."""

from __future__ import annotations

import itertools
from pathlib import Path

from lensnet.config import Experiment
from lensnet.data.sources.file_source import FileSource
from lensnet.data.sources.source_factory import make_source
from lensnet.errors import DataError

__all__ = ["check_named_files"]

_LOOKED_AT = 1000


def check_named_files(experiment: Experiment) -> None:
    """Looks for the files that the first rows of an experiment's table name.

    Preparing the data would find the same, but only once TensorFlow is running. The files of a data
    set that is found by listing folders are there, and simulations need none.

    Raises:
        DataError: more of them are missing than may be bad; of a table with more rows than are
            looked at, more than half. Or the table itself cannot be read.
    """
    if experiment.dataset.source is None or experiment.source_dir is None:
        return
    source = make_source(
        experiment.dataset, experiment.dataset_options, experiment.source_dir, experiment.data.seed
    )
    if not isinstance(source, FileSource):
        return
    rows = list(itertools.islice(source.named_files(), _LOOKED_AT + 1))
    is_whole = len(rows) <= _LOOKED_AT
    rows = rows[:_LOOKED_AT]
    missing = [path for files in rows for path in [*filter(_is_missing, files)][:1]]
    allowed = source.max_bad if is_whole else max(source.max_bad, 0.5)
    if len(missing) > allowed * len(rows):
        raise DataError(
            f"{len(missing)} of the {len(rows)} {'' if is_whole else 'first '}rows of "
            f"{experiment.source_dir} name files that do not exist (data.options.max_bad allows "
            f"{source.max_bad:.1%}). The first: {missing[0]}"
        )


def _is_missing(path: Path) -> bool:
    try:
        return not path.exists()
    except (OSError, ValueError):
        return True
