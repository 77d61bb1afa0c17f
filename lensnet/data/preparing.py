"""The one call that gets a data set ready to train on, and the one that opens it again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from lensnet.config import Experiment
from lensnet.config.experiment import default_data_dir
from lensnet.csv_tables import name_as_text
from lensnet.data.pipeline.preprocessing import Preprocessing
from lensnet.data.prepared import PreparedData
from lensnet.data.records.builder import LensDatasetBuilder
from lensnet.data.records.manifest import is_complete
from lensnet.data.records.preparation import open_directory, prepared_directory
from lensnet.data.sources.folder_listing import Listing
from lensnet.errors import DataError
from lensnet.registry import load_object

__all__ = ["find_prepared", "open_prepared", "prepare"]

_logger = logging.getLogger(__name__)


def prepare(
    experiment: Experiment,
    *,
    preprocessing: Preprocessing | None = None,
    beam_options: Sequence[str] | None = None,
) -> PreparedData:
    """Prepares the data of an experiment, if they are not yet, and opens them.

    Preparing reads or simulates every image once, with its progress on standard error, and writes
    records to `data.data_dir`; the next call for the same files and options opens them.

    Args:
        experiment: what to prepare.
        preprocessing: that of an earlier run on these data, whose statistics are to be kept; by
            default made from the experiment and the training split.
        beam_options: flags of the Apache Beam pipeline that is to prepare, such as
            `["runner=FlinkRunner", "flink_master=..."]`, or [] for Beam on this machine; None for
            no Beam. Its workers must see `data.data_dir` and the source files under the same paths.

    Raises:
        DataError: the data are missing or bad, or cannot serve the experiment.
        ConfigurationError: `data.splits` or `data.augmentation` do not fit the data, or nothing
            can be written to `data.data_dir`.
        LensnetError: the disk is full.
    """
    spec = experiment.dataset
    builder_class: type[LensDatasetBuilder] = load_object(spec.builder)
    variant = spec.name.partition("/")[2]
    config = builder_class.configure(
        variant,
        experiment.dataset_options,
        source_dir=experiment.source_dir,
        splits=experiment.data.splits,
        seed=experiment.data.seed,
        stratify=experiment.data.stratify,
        fresh=experiment.data.fresh,
        folds=experiment.training.folds,
    )
    if config.listing is not None:
        _say_what_is_odd(config.listing, experiment.source_dir)
    directory = prepared_directory(
        builder_class, config, experiment.data_dir, beam_options=beam_options
    )
    splits = config.plan_for(config.found).named
    return PreparedData(experiment, open_directory(directory), preprocessing, splits)


def open_prepared(
    experiment: Experiment, records: str | None, preprocessing: Preprocessing
) -> PreparedData:
    """Opens the data of an earlier run by the name of their records.

    Where these are there, nothing else is looked at: not the files that they were made of. Where
    they are gone, the data are prepared anew.

    Args:
        experiment: the run's, with every default written out.
        records: `PreparedData.records` of the run; None where nobody wrote it down.
        preprocessing: that of the run, whose statistics are kept.

    Raises:
        DataError: the records are gone, and what they were made of is, too, or cannot serve.
    """
    found = find_prepared(experiment, records, preprocessing)
    if found is not None:
        return found
    try:
        return prepare(experiment, preprocessing=preprocessing)
    except DataError as error:
        places = dict.fromkeys(_places(experiment))
        what = (
            f"{records} are neither in {' nor in '.join(map(str, places))}"
            if records is not None
            else "cannot be found without them, for the run does not say their name"
        )
        raise DataError(
            f"{error} The images are needed because the run's prepared records {what}. Bring back "
            "the one or the other; $LENSNET_DATA_DIR says where prepared records lie."
        ) from error


def find_prepared(
    experiment: Experiment, records: str | None, preprocessing: Preprocessing
) -> PreparedData | None:
    """Opens the data of an earlier run if their records are there, and makes none.

    Args:
        experiment, records, preprocessing: as of `open_prepared`.
    """
    for place in _places(experiment) if records is not None else ():
        directory = place / str(records)
        if is_complete(directory):
            return PreparedData(experiment, open_directory(directory), preprocessing)
    return None


def _places(experiment: Experiment) -> tuple[Path, Path]:
    """Where prepared records may lie."""
    return experiment.data_dir, default_data_dir()


def _say_what_is_odd(listing: Listing, source_dir: Path | None) -> None:
    if listing.left_out:
        _logger.warning(
            "%d image files in %s are left out, such as %s: they %s.",
            len(listing.left_out),
            source_dir.parent if source_dir is not None and source_dir.is_file() else source_dir,
            name_as_text(listing.left_out[0]),
            listing.left_out_because,
        )
    for remark in listing.remarks:
        _logger.warning("%s", remark)
