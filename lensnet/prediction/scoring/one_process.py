"""Scoring by the network of this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lensnet.locking import Hold
from lensnet.prediction.planning import Plan
from lensnet.prediction.scoring.batch_size import choose_batch_size
from lensnet.prediction.scoring.score_request import ScoredRun, ScoreRequest
from lensnet.prediction.scoring.work_folder import WorkFolder
from lensnet.prediction.scoring.working_off import Scorer, score_partitions
from lensnet.registry import load_object

__all__ = ["score_here", "settled_batch_size"]


def score_here(
    request: ScoreRequest,
    run: ScoredRun,
    planned: Plan,
    numbers: Sequence[int],
    uncertainty: str,
    held: Hold,
) -> Iterator[int]:
    """Opens the network, and returns what scores partitions, and yields the rows done each time.

    Args:
        request: what was asked.
        run: the run.
        planned: the plan.
        numbers: of the partitions.
        uncertainty: what it is to be.
        held: the hold on the work folder, without which no part is written.

    Raises:
        RunError: the run is damaged, or the work folder was taken over.
    """
    network: Scorer = load_object(request.network)(run.path, uncertainty)
    size = settled_batch_size(
        request.work, network, run.native_shape, planned.rows, request.batch_size, uncertainty
    )
    network(np.zeros((1, *run.native_shape), np.float32))  # compiles it, before time is told
    return score_partitions(
        planned, numbers, network, request.work.part, run.native_shape, size, held.check
    )


def settled_batch_size(
    work: WorkFolder,
    network: Scorer,
    shape: tuple[int, int, int],
    rows: int,
    asked: int | None,
    uncertainty: str,
) -> int:
    """Returns how many images are scored at once: by all who score the same plan, the same number.

    Answers to the same image differ between batches of other sizes in the last digits.

    Args:
        work: where it is written down.
        network: by which it is found out.
        shape: (H, W, C) of the images.
        rows: how many there are.
        asked: what the user said; None for nothing.
        uncertainty: what the uncertainty is, which is settled with it.
    """
    settled = work.settled()
    if not settled:
        size = asked or choose_batch_size(network, shape, rows)
        settled = work.settle({"uncertainty": uncertainty, "batch_size": size})
    return asked or int(settled["batch_size"])
