"""The main job: from an experiment to a run folder with a model, its metrics and a report."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from lensnet import progress
from lensnet.config import Experiment
from lensnet.config.repeated_runs import runs_of
from lensnet.errors import ConfigurationError
from lensnet.interruption import listening
from lensnet.run_folder import RunFolder, default_run_dir
from lensnet.training.accumulation import check_accumulation
from lensnet.training.cluster import is_chief
from lensnet.training.devices import create_strategy
from lensnet.training.learning import train
from lensnet.training.opening import complete_folder, open_data
from lensnet.training.replicas import check_batches, smallest_batch
from lensnet.training.tracking import Tracker, tracking
from lensnet.training.workers import ending_together

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["fit"]

_log = logging.getLogger(__name__)


def fit(
    experiment: Experiment,
    run_dir: str | Path | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> RunFolder:
    """Prepares the data, trains the network, measures it on the test split, writes the report.

    Args:
        experiment: what to do.
        run_dir: the run folder. Default: `runs/<name>`.
        resume: go on with the run folder from its last checkpoint. A run resumed ends with the
            weights of one never stopped, bit for bit on a CPU.
        overwrite: replace a run folder that exists.
        callbacks: called after lensnet's own. They watch: whatever they change, a resumed run would
            not know of. What one raises at the end of an epoch ends the run with that epoch kept.

    Returns:
        the run folder.

    Raises:
        ConfigurationError: the experiment cannot be run as it is, or the run folder is in the way.
        DataError: the data are missing, bad, or not what the task needs.
        Interrupted: SIGTERM or Ctrl-C asked the training to stop, and a checkpoint is written.
    """
    from lensnet.data.augmentation.augmenter import check_libraries

    if experiment.ensemble is not None:
        raise ConfigurationError(
            "ensemble: this is what an ensemble was made of, and not an experiment: `lensnet "
            "ensemble` makes it anew.",
            key="ensemble",
        )
    _check_single(experiment)
    run = RunFolder(Path(run_dir) if run_dir is not None else default_run_dir(experiment))
    with contextlib.ExitStack() as stack:
        interruption = stack.enter_context(listening())
        held = None
        if is_chief(experiment.training.strategy):
            # Refuse before the work, but leave nothing behind if the data turn out to be bad.
            run.check_fit(resume=resume, overwrite=overwrite)
            held = stack.enter_context(run.held("lensnet fit"))
            # Whoever held it until now may have changed it.
            resuming = run.check_fit(resume=resume, overwrite=overwrite)
        else:
            # Each worker trains on its share of each batch; the first writes, and speaks.
            stack.enter_context(_silence())
            resuming = resume and run.experiment_file.is_file()
        check_libraries(experiment.data.augmentation)
        strategy = create_strategy(experiment.training.strategy)
        resolved, data = open_data(experiment, run if resuming else None)
        _check_averaging(experiment, data)
        _check_batches(resolved, data, strategy)
        _check_weights(data)
        check_accumulation(experiment, data, strategy)
        if held is not None:
            if not resuming:
                RunFolder.create(run.path, overwrite=overwrite)
            complete_folder(run, resolved, data)
            stack.enter_context(_logging_to(run.log_file))
            _log.info("Run folder: %s", run.path)
        tracker = Tracker()
        if held is not None:
            tracker = stack.enter_context(tracking(resolved, run))
        watching = [*tracker.callbacks, *callbacks]
        with ending_together(strategy):
            train(
                resolved,
                data,
                run,
                strategy,
                held,
                interruption,
                resuming=resuming,
                callbacks=watching,
            )
        if held is not None:
            held.check()
            _measure(run, data)
            tracker.log_results()
    return run


def _check_single(experiment: Experiment) -> None:
    """Refuses an experiment that stands for several runs."""
    if runs := runs_of(experiment):
        key = "training.seeds" if experiment.training.seeds is not None else "training.folds"
        raise ConfigurationError(
            f"{key} makes {len(runs)} runs of the experiment, and this trains one: use "
            "lensnet.training.fit_series, or the command line.",
            key=key,
        )


def _check_batches(experiment: Experiment, data: PreparedData, strategy: Any) -> None:
    """Refuses, before the training, batches that the devices cannot share."""
    counts = {
        "train": data.examples_per_epoch,
        "validation": len(data.examples("validation").ids),
    }
    check_batches(experiment.training.batch_size, counts, smallest_batch(strategy))


def _check_weights(data: PreparedData) -> None:
    """Refuses, before the training, weights that the images do not have."""
    _ = data.training_weights


def _check_averaging(experiment: Experiment, data: PreparedData) -> None:
    """Refuses, before the training, images that `evaluation.average_over` cannot rotate."""
    height, width = data.image_shape[:2]
    group = experiment.evaluation.average_over
    if group in ("c4", "d4") and height != width:
        raise ConfigurationError(
            f"evaluation.average_over: {group} rotates images by 90 degrees, which must be square; "
            f"these have {height} x {width} pixels. Cut them to squares, or use none, c2, d1 or "
            "d2.",
            key="evaluation.average_over",
        )


def _measure(run: RunFolder, data: PreparedData) -> None:
    from lensnet.evaluation.evaluating import evaluate_run
    from lensnet.reporting import write_report

    start = time.monotonic()
    evaluate_run(run, data=data)
    _log.info("Measured in %.1f s.", time.monotonic() - start)
    write_report(run.path)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keeps lensnet from saying anything but errors."""
    logger = logging.getLogger("lensnet")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with progress.hidden():
            yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Writes what lensnet logs to a file as well."""
    logger = logging.getLogger("lensnet")
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logger.addHandler(handler)
    level = logger.level
    # The command line has set it already; in a notebook it is the root logger's, too quiet.
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        handler.close()
