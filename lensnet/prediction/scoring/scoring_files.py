"""Scoring files, folders and tables of any size into a table, in one go or in several."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet as pq

from lensnet.data.sources.source import ORIENTATION_IGNORED
from lensnet.errors import LensnetError, RunError
from lensnet.interruption import Interrupted, listening
from lensnet.locking import Hold
from lensnet.prediction.bad_inputs import none_of
from lensnet.prediction.planning import InputOptions, Plan, plan
from lensnet.prediction.scoring.merging import check_all_there, count_parts, merge_parts
from lensnet.prediction.scoring.score_request import (
    PARTITION_ROWS,
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
    partition_rows: int = PARTITION_ROWS,
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
        partition_rows: rows that are scored as one task, and lost at most by a kill.
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
            partition_rows=partition_rows,
            options=options or InputOptions(),
            resume=resume,
            overwrite=overwrite,
        )
    )


def score(request: ScoreRequest, start_network: Callable[[], None] = lambda: None) -> int:
    """Scores what a request asks for; see `score_files`.

    Args:
        request: what is asked.
        start_network: is called before a network is loaded in this process, once all else is known
            to be well.
    """
    run = ScoredRun.open(request.run)
    uncertainty = request.uncertainty_of(run)
    if request.check():
        _log.info("%s is whole; there is nothing left to do.", request.output)
        return 0
    if uncertainty == "rotations":
        _log.info("Each image is scored in eight ways to lay it, which takes eight times as long.")
    job = _Job(request, run, uncertainty, start_network)
    with _going_on_by(request):
        return job.score_all() if request.shard is None else job.score_shard(request.shard)


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


@dataclass(frozen=True)
class _Job:
    """A request that can be done.

    Args:
        request: what is asked.
        run: the run.
        uncertainty: what the uncertainty is to be.
        start_network: see `score`.
    """

    request: ScoreRequest
    run: ScoredRun
    uncertainty: Uncertainty
    start_network: Callable[[], None]

    def score_all(self) -> int:
        """Scores all that is not scored yet, and writes the output."""
        work = self.request.work
        with work.held("lensnet predict") as held:
            planned = self._planned(held)
            work.check_no_shard_works()
            self._work_off(planned, range(planned.partitions), held)
            return _finish(work, planned, held)

    def score_shard(self, shard: Shard) -> int:
        """Scores what is not scored yet of a shard, and returns its rows."""
        work, output = self.request.work, self.request.output
        with work.held(f"lensnet predict --shard {shard}", wait=True) as held:
            # It may have been merged while this one waited.
            check_output(output, overwrite=self.request.overwrite)
            planned = self._planned(held)
            work.note_shard(shard)
        with work.held_for(shard) as held:
            rows = self._work_off(planned, shard.partitions(planned.partitions), held)
        _log.info("Shard %s is scored. When all are: lensnet predict --merge -o %s", shard, output)
        return rows

    def _planned(self, held: Hold) -> Plan:
        """Returns the plan: the one that is there, or a new one.

        Raises:
            RunError: what is there is not to be gone on with, or belongs to something else.
            DataError: as `score_files`.
        """
        request, work = self.request, self.request.work
        if work.is_begun:
            goes_on = request.resume or request.shard is not None
            if not goes_on and not request.overwrite:
                raise RunError(_unasked(work))
            if goes_on and work.is_planned:
                planned = Plan.open(work.path)
                request.check_plan(planned, self.run, self.uncertainty)
                return planned
        work.begin()
        try:
            planned = plan(
                self.run.experiment,
                self.run.native_shape,
                request.inputs,
                work.path,
                rows=request.partition_rows,
                options=request.options,
                origin=request.origin(self.run),
            )
        except LensnetError:
            work.remove()
            raise
        held.check()
        return planned

    def _work_off(self, planned: Plan, numbers: Sequence[int], held: Hold) -> int:
        """Scores those of some partitions that are not scored yet, and returns their rows."""
        work = self.request.work
        missing = set(work.missing(planned.partitions))
        wanted = [number for number in numbers if number in missing]
        if not wanted:
            return 0
        lengths = planned.lengths
        total = sum(lengths[number] for number in numbers)
        rows = sum(lengths[number] for number in wanted)
        done = self._scoring(planned, wanted, held)
        for _ in track(done, "Scoring images", total, count=int, done=total - rows, unit="rows"):
            pass
        return rows

    def _scoring(self, planned: Plan, numbers: Sequence[int], held: Hold) -> Iterator[int]:
        request = self.request
        if request.dask is not None:
            from lensnet.prediction.scoring.dask_scoring import score_with_dask

            return score_with_dask(request, self.run, numbers, self.uncertainty)
        self.start_network()
        from lensnet.prediction.scoring.one_process import score_here

        return score_here(request, self.run, planned, numbers, self.uncertainty, held)


def _unasked(work: WorkFolder) -> str:
    state = "was still being planned"
    if work.is_planned:
        state = f"had scored {len(work.done())} of {Plan.open(work.path).partitions} partitions"
    return (
        f"{work.path} is left of an earlier lensnet predict, which {state}. Go on with it by "
        "--resume, or begin anew by --overwrite."
    )


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
    about = {"lensnet": version("lensnet"), "run": str(planned.origin["run"])}
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
    """Says how to go on where the process is asked to stop.

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
