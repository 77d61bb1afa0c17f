"""Scoring files, folders and tables of any size into a table, in one go or in several."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq

import lensnet
from lensnet.data.sources.source import ORIENTATION_IGNORED
from lensnet.errors import LensnetError, RunError
from lensnet.interruption import Interrupted, listening
from lensnet.locking import Hold
from lensnet.prediction.bad_inputs import none_of
from lensnet.prediction.planning import InputOptions, Plan, plan
from lensnet.prediction.scoring.merging import check_all_there, count_parts, merge_parts
from lensnet.prediction.scoring.score_request import (
    ScoredRun,
    ScoreRequest,
    Uncertainty,
    check_output,
)
from lensnet.prediction.scoring.shards import Shard
from lensnet.prediction.scoring.work_folder import WorkFolder, not_begun
from lensnet.progress import track

__all__ = ["merge_scores", "score", "score_files"]

_log = logging.getLogger(__name__)


def score_files(
    run_dir: str | Path,
    inputs: Sequence[str | Path],
    output: str | Path,
    *,
    batch_size: int | None = None,
    uncertainty: Uncertainty | None = None,
    options: InputOptions | None = None,
    shard: str | None = None,
    dask: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> int:
    """Scores every image in files, folders, stacks and tables, and writes a table.

    A row an image, in the order of the inputs: `id`, `file`, the position where it is known, the
    predicted class and a score column a class, or the prediction of a regression, with `sigma`
    where its loss was `gaussian_nll`; `uncertainty` where there is one; `filled_pixels`, how many
    pixels were masked or not finite and have been filled, as in training; `status`, which is `ok`,
    or why there is no score; and every column of an input catalogue. The output is written whole or
    not at all, memory does not grow with the number of images, and what was done when the process
    was killed is kept in `<output>.parts/`, to be gone on with.

    Args:
        run_dir: the run folder.
        inputs: see `lensnet.prediction.planning`.
        output: the table; .csv, .fits, .ecsv, .vot, .xml or .parquet.
        batch_size: images scored at once; None for what is found to be quick and to fit.
        uncertainty: `"members"` (of an ensemble, and then the default), `"rotations"`, at eight
            times the network's time, or `"none"`.
        options: how inputs are to be understood, where they do not say it themselves.
        shard: `"3/16"` scores the third of sixteen shares alone; `merge_scores` then writes the
            table.
        dask: the address of a Dask scheduler, or `"local:4"`, or `"slurm:8"`; needs the extra
            `dask`.
        resume: go on with what an earlier process has begun.
        overwrite: replace the table if it exists and lensnet has written it, and begin anew.

    Returns:
        how many images have scores; of a shard, how many rows this call has worked off.

    Raises:
        ConfigurationError: the output is to be of a kind that is not written.
        RunError: there is no such run, or the output exists or is being worked on, or what an
            earlier process has begun is of another run or of other inputs.
        DataError: an input does not exist, the run takes none of them, or not one image could be
            used; then nothing is written.
        Interrupted: the process was asked to stop.
    """
    return score(
        ScoreRequest(
            run=Path(run_dir),
            inputs=tuple(map(str, inputs)),
            output=Path(output),
            batch_size=batch_size,
            uncertainty=uncertainty,
            shard=None if shard is None else Shard.parse(shard),
            dask=dask,
            options=options or InputOptions(),
            resume=resume,
            overwrite=overwrite,
        )
    )


def score(request: ScoreRequest) -> int:
    """Scores what a request asks for; see `score_files`."""
    run = ScoredRun.open(request.run)
    uncertainty = request.uncertainty_of(run)
    if request.check():
        _log.info("%s is whole; there is nothing left to do.", request.output)
        return 0
    with _going_on_by(request):
        if request.shard is not None:
            return _score_shard(request, request.shard, run, uncertainty)
        with request.work.held("lensnet predict") as held:
            planned = _planned(request, run, uncertainty, held)
            request.work.check_no_shard_works()
            _work_off(request, run, planned, range(planned.partitions), uncertainty, held)
            return _finish(request.work, planned, held)


def merge_scores(output: str | Path, *, overwrite: bool = False) -> int:
    """Writes the table of which shards have scored all rows.

    Args:
        output: the table, as it was named to the shards.
        overwrite: replace a table of lensnet's that is there.

    Returns:
        how many images have scores.

    Raises:
        RunError: shards are missing, or at work; or the output exists.
        DataError: not one image could be used.
    """
    output = Path(output)
    check_output(output, overwrite=overwrite)
    work = WorkFolder.of(output)
    work.check_own()
    if not work.is_begun:
        raise not_begun(output)
    with work.held("lensnet predict --merge") as held:
        if not work.is_planned:
            raise RunError(f"No plan in {work.path} is whole: no shard has come far enough.")
        planned = Plan.open(work.path)
        check_all_there(work, planned.partitions)
        work.check_no_shard_works()
        return _finish(work, planned, held)


def _score_shard(
    request: ScoreRequest, shard: Shard, run: ScoredRun, uncertainty: Uncertainty
) -> int:
    work = request.work
    with work.held(f"lensnet predict --shard {shard}", wait=True) as held:
        # It may have been merged while this one waited.
        check_output(request.output, overwrite=request.overwrite)
        planned = _planned(request, run, uncertainty, held)
        work.note_shard(shard)
    with work.held_for(shard) as held:
        numbers = shard.partitions(planned.partitions)
        rows = _work_off(request, run, planned, numbers, uncertainty, held)
    _log.info(
        "Shard %s is scored. When all are: lensnet predict --merge -o %s", shard, request.output
    )
    return rows


def _planned(request: ScoreRequest, run: ScoredRun, uncertainty: Uncertainty, held: Hold) -> Plan:
    """Returns the plan: the one that is there, or a new one.

    Raises:
        RunError: what is there is not to be gone on with, or belongs to something else.
        DataError: as `score_files`.
    """
    work = request.work
    if work.is_begun:
        if request.shard is None and not request.resume and not request.overwrite:
            raise RunError(_unasked(work))
        if work.is_planned and (request.shard is not None or request.resume):
            planned = Plan.open(work.path)
            request.check_plan(planned, run, uncertainty)
            return planned
    work.begin()
    try:
        planned = plan(
            run.experiment,
            run.native_shape,
            request.inputs,
            work.path,
            options=request.options,
            origin=run.origin(),
        )
        held.check()
        return planned
    except LensnetError:
        work.remove()
        raise


def _unasked(work: WorkFolder) -> str:
    state = "was still being planned"
    if work.is_planned:
        state = f"had scored {len(work.done())} of {Plan.open(work.path).partitions} partitions"
    return (
        f"{work.path} is left of an earlier lensnet predict, which {state}. Go on with it by "
        "--resume, or begin anew by --overwrite."
    )


def _work_off(
    request: ScoreRequest,
    run: ScoredRun,
    planned: Plan,
    numbers: Sequence[int],
    uncertainty: Uncertainty,
    held: Hold,
) -> int:
    """Scores those of some partitions that are not scored yet, and returns their rows."""
    work = request.work
    missing = set(work.missing(planned.partitions))
    wanted = [number for number in numbers if number in missing]
    if not wanted:
        return 0
    total = sum(_rows(work, number) for number in numbers)
    rows = sum(_rows(work, number) for number in wanted)
    if request.dask is not None:
        from lensnet.prediction.scoring.dask_scoring import score_with_dask

        done = score_with_dask(request, work, wanted, uncertainty)
    else:
        from lensnet.prediction.scoring.one_process import score_here

        done = score_here(request, run, planned, wanted, uncertainty, held)
    for _ in track(done, "Scoring images", total, count=int, done=total - rows, unit="rows"):
        pass
    return rows


def _rows(work: WorkFolder, number: int) -> int:
    return int(pq.read_metadata(work.path / f"rows-{number:05d}.parquet").num_rows)


def _finish(work: WorkFolder, planned: Plan, held: Hold) -> int:
    """Writes the output and removes the work folder; returns how many images have scores.

    Raises:
        DataError: there are none.
    """
    counts = count_parts(work, planned.partitions)
    if not counts.scored:
        error = _nothing_scored(work, planned)
        work.remove()
        raise error
    held.check()
    about = {"lensnet": lensnet.__version__, "run": str(planned.origin["run"])}
    merge_parts(work, planned.partitions, work.output, about)
    work.remove()
    bad = counts.rows - counts.scored
    if bad:
        _log.warning("%d images have no score; the column status says why.", bad)
    if counts.filled:
        _log.warning(
            "Pixels that are masked or not finite were filled with the median of their band, in %d "
            "of the images; the column filled_pixels says in which.",
            counts.filled,
        )
    if counts.oriented:
        _log.warning(ORIENTATION_IGNORED, counts.oriented)
    _log.info("%d images scored: %s", counts.scored, work.output)
    return counts.scored


def _nothing_scored(work: WorkFolder, planned: Plan) -> LensnetError:
    experiment = ScoredRun.open(planned.origin["run"]).experiment

    def reasons() -> Iterator[str]:
        for number in range(planned.partitions):
            part = pq.read_table(work.part(number), columns=["id", "file", "status"])
            for row in part.to_pylist():
                yield f"{row['file'] or row['id']}: {row['status']}"

    return none_of(experiment, planned.rows, reasons())


@contextlib.contextmanager
def _going_on_by(request: ScoreRequest) -> Iterator[None]:
    """Says how to go on where the process is asked to stop, and leaves no empty folder.

    Raises:
        Interrupted: it was asked.
    """
    work = request.work
    try:
        with listening():
            yield
    except KeyboardInterrupt:
        done = len(work.done()) if work.path.is_dir() else 0
        raise Interrupted(
            f"Stopped with {done} partitions of {request.output.name} scored", request.command()
        ) from None
    finally:
        with contextlib.suppress(OSError):
            work.path.rmdir()
