"""Several runs of one experiment, by seed or by fold, and what they have in common."""

from __future__ import annotations

import logging
from pathlib import Path

import keras

from lensnet.config import Experiment
from lensnet.config.repeated_runs import runs_of
from lensnet.errors import ConfigurationError, DataError, LensnetError
from lensnet.interruption import Interrupted
from lensnet.locking import hold
from lensnet.run_folder import RunFolder, default_run_dir
from lensnet.run_series import RunSeries
from lensnet.training.fitting import fit
from lensnet.training.opening import resumed_experiment

__all__ = ["fit_series"]

_log = logging.getLogger(__name__)


def fit_series(
    experiment: Experiment,
    run_dir: str | Path | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> RunSeries:
    """Trains and measures a network for each of `training.seeds` or `training.folds`.

    Each has a run folder of its own, `seed-0` or `fold-0` and so on, as `fit` makes it. One that
    fails does not end the others. In the end, `summary.json`, `summary.csv` and `summary.html` say
    the mean of each metric and its standard error; of folds, `predictions.csv` has every example
    once, predicted by the network that has not seen it.

    Args:
        experiment: what to do.
        run_dir: the folder of the runs. Default: `runs/<name>`.
        resume: train those that are missing, and go on with those that were stopped.
        overwrite: replace what is there.

    Returns:
        the folder of the runs.

    Raises:
        ConfigurationError: the experiment cannot be run as it is, or something is in the way.
        DataError: the data are missing, bad, or not what the task needs.
        LensnetError: some of the runs have failed; the others are done and summed up.
    """
    from lensnet.reporting.summary import write_summary

    runs = runs_of(experiment)
    if not runs:
        raise ConfigurationError(
            "Neither training.seeds nor training.folds says that there are several runs: use "
            "lensnet.training.fit."
        )
    series = RunSeries(Path(run_dir) if run_dir is not None else default_run_dir(experiment))
    names = list(runs)
    series.check_fit(names, resume=resume, overwrite=overwrite)
    with hold(series.path, "lensnet fit"):
        # Whoever held it until now may have changed it.
        resuming = series.check_fit(names, resume=resume, overwrite=overwrite)
        if not resuming:
            _check_data(next(iter(runs.values())))
            series.create(experiment)
        try:
            failures = _fit_all(series, runs)
        except (ConfigurationError, DataError):
            if not resuming:
                series.remove()
            raise
        series.write_experiment(experiment)
        done = [name for name in names if name not in failures]
        if done:
            write_summary(series, done, failures)
    if failures:
        whole = f"{series.path} sums up the {len(done)} that are done. " if done else ""
        raise LensnetError(
            f"{len(failures)} of {len(names)} runs failed: "
            + "; ".join(f"{name}: {reason.rstrip('.')}" for name, reason in failures.items())
            + f". {whole}Try them again by the same command with --resume."
        )
    return series


def _check_data(experiment: Experiment) -> None:
    """Prepares the data, which all runs share, before anything is replaced."""
    from lensnet.data import prepare

    prepare(experiment)


def _fit_all(series: RunSeries, runs: dict[str, Experiment]) -> dict[str, str]:
    """Trains what is not done yet, and returns which runs have failed, and why.

    Raises:
        ConfigurationError, DataError: the first that was to be trained was refused, as all would
            be; nothing has been trained.
        Interrupted: the process was asked to stop.
    """
    import tensorflow as tf

    failures: dict[str, str] = {}
    has_trained = False
    for number, (name, experiment) in enumerate(runs.items(), start=1):
        run = series.run(name)
        if _is_done(run, experiment):
            _log.info("%s is done.", name)
            continue
        _log.info("%s (%d of %d)", name, number, len(runs))
        # What the networks before have left in memory.
        keras.utils.clear_session()
        try:
            fit(experiment, run.path, resume=True)
        except Interrupted as stopped:
            resume = f"lensnet fit --resume --run-dir {series.path}"
            raise Interrupted(f"{name}: {stopped.where}", resume) from None
        except (ConfigurationError, DataError) as error:
            if not has_trained:
                raise
            failures[name] = str(error)
        except (LensnetError, tf.errors.OpError) as error:
            # Such as a loss that became NaN, or a device that has run out of memory.
            failures[name] = " ".join(str(error).split())[:500]
        if name in failures:
            _log.error("%s failed: %s", name, failures[name])
        has_trained = True
    return failures


def _is_done(run: RunFolder, experiment: Experiment) -> bool:
    """Returns whether a run has been trained and measured.

    Raises:
        RunError: it is another experiment's.
    """
    if not run.experiment_file.is_file():
        return False
    resumed_experiment(experiment, run)
    # The report comes last.
    return run.metrics_file.is_file() and (run.path / "report.html").is_file()
