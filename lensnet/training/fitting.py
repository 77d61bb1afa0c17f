"""The main job: from an experiment to a run folder with a model, its metrics and a report."""

from __future__ import annotations

import contextlib
import logging
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from lensnet import files, losses, metrics, models, optimizers, progress, schedules
from lensnet.config import Experiment
from lensnet.config.sections import Training
from lensnet.errors import ConfigurationError, RunError
from lensnet.layers import GroupAveraged, accelerate
from lensnet.locking import Hold
from lensnet.models.weight_decay import undecayed_variables
from lensnet.overwriting import RUN
from lensnet.run_folder import RunFolder, default_run_dir
from lensnet.training.accumulation import check_accumulation
from lensnet.training.cluster import is_chief
from lensnet.training.companions import companions_of
from lensnet.training.devices import create_strategy, dtype_policy, jit_compile
from lensnet.training.environment import describe_environment
from lensnet.training.fine_tuning import freeze, learning_rate_factors
from lensnet.training.keras_replicas import fitting_with_replicas
from lensnet.training.non_finite import NonFiniteGuard
from lensnet.training.progress_bar import ProgressBar
from lensnet.training.replicas import (
    check_batches,
    divide_batches,
    evaluation_batch_size,
    is_even,
    smallest_batch,
)
from lensnet.training.run_checkpoint import RunCheckpoint
from lensnet.training.target_output import in_own_unit
from lensnet.training.tracking import tracking_callbacks

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
) -> RunFolder:
    """Prepares the data, trains the network, measures it on the test split, writes the report.

    Args:
        experiment: what to do.
        run_dir: the run folder. Default: `runs/<name>`.
        resume: go on with the run folder from its last whole epoch. A run resumed ends with the
            weights of one never stopped, bit for bit on a CPU.
        overwrite: replace a run folder that exists.

    Returns:
        the run folder.

    Raises:
        ConfigurationError: the experiment cannot be run as it is, or the run folder is in the way.
        DataError: the data are missing, bad, or not what the task needs.
    """
    from lensnet.data.augmentation.augmenter import check_libraries

    run = RunFolder(Path(run_dir) if run_dir is not None else default_run_dir(experiment))
    with contextlib.ExitStack() as stack:
        held = None
        if is_chief(experiment.training.strategy):
            # Refuse before the work, but leave nothing behind if the data turn out to be bad.
            run.check_fit(resume=resume, overwrite=overwrite)
            held = stack.enter_context(run.held("lensnet fit"))
            # Whoever held it until now may have changed it.
            resuming = run.check_fit(resume=resume, overwrite=overwrite)
        else:
            # All workers do the same work on the same data; the first writes, and speaks.
            stack.enter_context(_silence())
            resuming = resume and run.experiment_file.is_file()
        check_libraries(experiment.data.augmentation)
        strategy = create_strategy(experiment.training.strategy)
        resolved, data = _open_data(experiment, run if resuming else None)
        _check_averaging(experiment, data)
        _check_batches(resolved, data, strategy)
        check_accumulation(experiment, data, strategy)
        if held is not None:
            if not resuming:
                RunFolder.create(run.path, overwrite=overwrite)
            _complete(run, resolved, data)
            stack.enter_context(_logging_to(run.log_file))
            _log.info("Run folder: %s", run.path)
        _train(resolved, data, run, strategy, held, resuming=resuming)
        if held is not None:
            held.check()
            _measure(run, data)
    return run


def _open_data(experiment: Experiment, run: RunFolder | None) -> tuple[Experiment, PreparedData]:
    """Opens the data of an experiment, and writes out every default of it.

    Args:
        experiment: what is asked for.
        run: the run that is gone on with; its data are those that it began with, and its
            statistics those that its preprocessing has.
    """
    from lensnet.data import Preprocessing, open_prepared, prepare

    if run is None:
        data = prepare(experiment)
        return experiment.resolved(data.splits), data
    before = run.read_experiment()
    experiment = experiment.resuming(before)
    resolved = experiment.resolved(experiment.data.splits or before.data.splits)
    _check_same(before, resolved, run)
    try:
        known = run.read_data()
    except RunError:
        # A kill came before it was written, or it is damaged: it follows from the experiment.
        return resolved, prepare(experiment)
    preprocessing = Preprocessing.from_dict(known.preprocessing.to_dict())
    return resolved, open_prepared(resolved, known.records, preprocessing)


def _complete(run: RunFolder, experiment: Experiment, data: PreparedData) -> None:
    """Writes what a run folder needs and lacks: all of it, or what a kill has left out.

    The experiment comes last: with it a folder is that of a run.
    """
    if not RUN.is_marked(run.path):
        RUN.write_mark(run.path)
    if not (run.path / "environment.json").is_file():
        run.write_json("environment.json", describe_environment(experiment.seed))
    try:
        run.read_data()
    except RunError:
        _describe_data(run, data)
    quarantine = data.directory / "quarantine.csv"
    if quarantine.is_file() and not (run.path / "quarantine.csv").is_file():
        with files.replacing(run.path / "quarantine.csv") as temporary:
            shutil.copyfile(quarantine, temporary)
    if not run.experiment_file.is_file():
        run.write_experiment(experiment)


def _check_same(before: Experiment, now: Experiment, run: RunFolder) -> None:
    """A resumed run must be the same experiment."""
    ours, theirs = now.model_dump(), before.model_dump()
    # Where prepared records lie changes nothing of what is learned.
    changed = sorted(
        f"{section}.{key}"
        for section, values in ours.items()
        if isinstance(values, dict)
        for key in values
        if values[key] != theirs[section].get(key) and (section, key) != ("data", "data_dir")
    ) + [key for key in ("name", "seed", "task") if ours[key] != theirs[key]]
    if changed:
        raise RunError(
            f"The run {run.path} was started with other values of {', '.join(changed)}; a resumed "
            "run must be the same experiment. Start a new one with --run-dir, or replace it by "
            "--overwrite."
        )


def _describe_data(run: RunFolder, data: PreparedData) -> None:
    run.write_json(
        "data.json",
        {
            "records": data.records,
            "classes": list(data.classes),
            "native_shape": list(data.native_shape),
            "image_shape": list(data.image_shape),
            "counts": {split: data.counts(split) for split in ("train", "validation", "test")},
            "target_mean": data.target_mean,
            "target_std": data.target_std,
            "target_transform": data.target_transform and asdict(data.target_transform),
            "preprocessing": data.preprocessing.to_dict(),
        },
    )


def _train(
    experiment: Experiment,
    data: PreparedData,
    run: RunFolder,
    strategy: Any,
    held: Hold | None,
    *,
    resuming: bool,
) -> None:
    training = experiment.training
    keras.utils.set_random_seed(experiment.seed)
    steps_per_epoch = data.steps_per_epoch(training.batch_size, smallest_batch(strategy))
    with strategy.scope(), dtype_policy(training.precision):
        model = accelerate(_create_model(experiment, data))
        freeze(model, training.trainable)
        schedule = schedules.create(
            training.schedule,
            training.optimizer.learning_rate,
            epochs=training.epochs,
            steps_per_epoch=steps_per_epoch,
        )
        companions = companions_of(experiment, data, schedule, model)
        model.compile(
            optimizer=optimizers.create(
                training.optimizer,
                schedule,
                learning_rate_factors(model, training.learning_rate_factors),
                undecayed_variables(model),
                training.gradient_accumulation_steps,
            ),
            loss=losses.create(training.loss),
            metrics=metrics.create(experiment.task_spec, len(data.classes), data.target_transform),
            jit_compile=jit_compile(training.jit_compile),
        )
        checkpoint = RunCheckpoint(
            run,
            training.early_stopping,
            lambda: _finished(model, experiment, data),
            experiment.task_spec.monitors,
            held,
            companions,
        )
        if resuming and checkpoint.restore(model):
            _log.info("Resuming after epoch %d.", checkpoint.next_epoch)
    if checkpoint.ended:
        return
    _log.info(
        "Training %s (%s, %s parameters) on %d images of %d x %d pixels, %d steps an epoch.",
        experiment.model.backbone,
        experiment.model.symmetry,
        f"{model.count_params():,}",
        sum(data.counts("train").values()),
        *data.image_shape[:2],
        steps_per_epoch,
    )
    writing = run if held is not None else None
    guard = NonFiniteGuard(experiment, data, writing, smallest_batch(strategy))
    bar = ProgressBar(training.epochs, steps_per_epoch)
    tracking = tracking_callbacks(experiment, run.path) if held is not None else []
    batches = _batches(training, data, strategy, checkpoint.next_epoch)
    try:
        with fitting_with_replicas(model, strategy):
            model.fit(
                **batches,
                initial_epoch=checkpoint.next_epoch,
                epochs=training.epochs,
                callbacks=[guard, *companions, checkpoint, bar, *tracking],
                # They come shuffled, by a rule that a resumed run can follow.
                shuffle=False,
                verbose=0,
            )
    finally:
        bar.close()
    _log.info(
        "Best epoch: %s (%s %.4f)", checkpoint.best_epoch, checkpoint.monitor, checkpoint.best
    )


def _check_batches(experiment: Experiment, data: PreparedData, strategy: Any) -> None:
    """Refuses, before the training, batches that the devices cannot share."""
    counts = {
        "train": data.examples_per_epoch,
        "validation": len(data.examples("validation").ids),
    }
    check_batches(experiment.training.batch_size, counts, smallest_batch(strategy))


def _batches(
    training: Training, data: PreparedData, strategy: Any, first_epoch: int
) -> dict[str, Any]:
    """What `model.fit` is to train and to validate on, as the strategy's devices share it."""
    size, smallest = training.batch_size, smallest_batch(strategy)
    batches = data.training_batches(
        size, first_epoch=first_epoch, epochs=training.epochs, smallest_batch=smallest
    )
    uneven = not is_even(size, data.examples_per_epoch, smallest)
    count = len(data.examples("validation").ids)
    validation_size = evaluation_batch_size(size, count, smallest)
    validation, steps = data.batches("validation", validation_size), None
    if smallest > 1:
        # Of divided batches Keras cannot tell how many there are.
        validation, steps = validation.repeat(), -(-count // validation_size)
    return {
        "x": divide_batches(_as_learned(batches, data), strategy, weigh=uneven),
        "steps_per_epoch": data.steps_per_epoch(size, smallest),
        "validation_data": divide_batches(_as_learned(validation, data), strategy, weigh=False),
        "validation_steps": steps,
    }


def _create_model(experiment: Experiment, data: PreparedData) -> keras.Model:
    section = experiment.model
    return models.create(
        section.backbone,
        input_shape=data.image_shape,
        num_outputs=experiment.task_spec.num_outputs(len(data.classes)),
        symmetry=section.symmetry,
        width=section.width,
        width_policy=section.width_policy,
        weights=section.weights,
        head=section.head,
        l2=section.l2,
        drop_block=section.drop_block,
        **section.options,
    )


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


def _finished(model: keras.Model, experiment: Experiment, data: PreparedData) -> keras.Model:
    """The model as it is saved: with probabilities, or targets in their own unit, as output.

    Averaged over `evaluation.average_over`, so that whatever loads it gives the same answers.
    """
    if data.target_transform is not None:
        outputs = in_own_unit(model.output, data.target_transform)
    else:
        activation = experiment.task_spec.activation
        last = keras.layers.Activation(activation, dtype="float32", name="probabilities")
        outputs = last(model.output)
    finished = keras.Model(model.input, outputs, name=model.name)
    group = experiment.evaluation.average_over
    if group == "none":
        return finished
    return GroupAveraged(finished, group, name=f"{model.name}_averaged")


def _as_learned(batches: Any, data: PreparedData) -> Any:
    """Batches whose targets are as the network learns them: see `data.target_transform`."""
    transform = data.target_transform
    if transform is None:
        return batches
    return batches.map(
        lambda images, targets: (images, transform.learned(targets, keras.ops.log10))
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
