"""A round of learning: from a run and grades to the next run, and what it has gained."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lensnet import config
from lensnet.config import Experiment
from lensnet.datasets.graded.candidate_splits import split_of
from lensnet.datasets.graded.candidate_table import Candidate, find_table, read_candidates
from lensnet.datasets.graded.options import NAME
from lensnet.errors import RunError
from lensnet.grades.reading import read_grades
from lensnet.learning.choice import Chosen, candidates_of_grades, choose
from lensnet.learning.folder import CUTOUTS, EXPERIMENT, begin_folder, check_free, write_folder
from lensnet.learning.images import CandidateImages, write_cutout
from lensnet.learning.next_experiment import base_data, next_experiment
from lensnet.learning.request import Request, class_names
from lensnet.learning.score_table import ScoreTable, read_scores
from lensnet.learning.selection import SelectionWeights, selection_weights
from lensnet.run_folder import RunFolder

__all__ = ["LEARNING", "Round", "finish", "learn", "plan_round", "write_round"]

_log = logging.getLogger(__name__)

LEARNING = "learning.json"
"""What a run folder keeps of the round that it came of."""


@dataclass(frozen=True)
class Round:
    """What is learned from, before anything is written.

    Args:
        request: what was asked for.
        run: the run that is learned on from.
        chosen: the candidates of these grades.
        earlier: those of earlier rounds, their files named absolutely.
        weights: of the candidates, by id.
        images: where the images of the former are.
        remarks: what must be said, a line each.
        selection: the weights that undo the selection; None where there are none.
    """

    request: Request
    run: RunFolder
    chosen: tuple[Chosen, ...]
    earlier: tuple[Candidate, ...]
    weights: dict[str, float]
    images: CandidateImages
    remarks: tuple[str, ...]
    selection: SelectionWeights | None = None

    @property
    def splits(self) -> dict[str, Counter[str]]:
        """How many candidates of each class are in each split, earlier ones among them."""
        found: dict[str, Counter[str]] = {}
        for one in self.earlier:
            found.setdefault(self._split(one.id, one.split), Counter())[one.label] += 1
        for chosen in self.chosen:
            found.setdefault(self._split(chosen.id), Counter())[chosen.label] += 1
        return found

    def candidates(self, cutouts: dict[str, str]) -> list[Candidate]:
        """Returns all candidates as the table has them.

        Args:
            cutouts: the file of each candidate of these grades, by id.
        """
        grades = ";".join(path.name for path in self.request.grades)
        new = [
            Candidate(
                id=one.id,
                files=(cutouts[one.id],),
                label=one.label,
                weight=self.weights[one.id],
                split=self._split(one.id),
                grade=one.grade,
                score=one.row.get("score"),
                origin=self.images.origin(one),
                grades=grades,
            )
            for one in self.chosen
        ]
        old = [
            replace(one, weight=self.weights[one.id], split=self._split(one.id, one.split))
            for one in self.earlier
        ]
        return [*old, *new]

    def _split(self, id_: str, known: str = "") -> str:
        return known or split_of(id_, self.request.held_out)


def plan_round(request: Request) -> Round:
    """Reads grades and scores, and works out what is learned from; writes nothing.

    Raises:
        RunError: the run has no model, or is an ensemble.
        DataError: grades or scores cannot be read, or no candidate is left.
        ConfigurationError: classes or options do not fit.
    """
    run = RunFolder.open(request.run)
    run.check()
    if run.is_ensemble:
        raise RunError(
            f"{run.path} is an ensemble, whose members were trained each by itself. Name the run "
            "folder of one of them."
        )
    base_data(run.read_experiment())
    lens_class, other_class = class_names(run, request.lens_class, request.other_class)
    files = [read_grades(path) for path in request.grades]
    graded = {given.id for grades in files for given in grades}
    earlier = {one.id: one for one in _earlier(run)}
    table: ScoreTable | None = None
    if request.scores is None:
        known, beside = candidates_of_grades(request.grades), request.grades[0]
    else:
        table = read_scores(request.scores, lens_class, graded | earlier.keys())
        known, beside = table.rows, request.scores
    choice = choose(files, known, lens_class, other_class, request.c_as)
    chosen = choice.chosen
    remarks = list(choice.remarks)
    if table is not None and (twice := sorted(set(table.repeated) & {one.id for one in chosen})):
        remarks.append(
            f"{len(twice)} graded ids stand more than once in {table.path}, such as {twice[0]}; "
            "the first row of each counts."
        )
    images = CandidateImages(
        run.read_experiment(),
        run.read_data().native_shape,
        beside,
        request.mosaics,
        request.bands,
        request.size,
    )
    images.check(chosen)
    for one in chosen:
        earlier.pop(one.id, None)
    rest = tuple(earlier.values())
    weights, selection = _weights(request, table, chosen, rest)
    weights = _shared(weights, request, run, rest)
    return Round(request, run, chosen, rest, weights, images, tuple(remarks), selection)


def _earlier(run: RunFolder) -> list[Candidate]:
    """Returns the candidates that a run was trained on already, their files named absolutely."""
    experiment = run.read_experiment()
    if experiment.data.dataset != NAME or experiment.source_dir is None:
        return []
    options: Any = experiment.dataset_options
    table = find_table(experiment.source_dir, options.candidates)
    return [
        replace(one, files=tuple(str((table.parent / name).resolve()) for name in one.files))
        for one in read_candidates(table)
        if one.problem is None
    ]


def _weights(
    request: Request,
    table: ScoreTable | None,
    chosen: Sequence[Chosen],
    earlier: Sequence[Candidate],
) -> tuple[dict[str, float], SelectionWeights | None]:
    """Returns what each candidate counts beside an old training image, and how that was found.

    All that have been graded, in this round or an earlier one, are a sample of what was scored now.
    Those of another survey keep their weights.
    """
    found = {one.id: one.weight for one in earlier} | {one.id: 1.0 for one in chosen}
    if table is None or request.weigh == "equal":
        return found, None
    scored = {
        id_: score
        for id_ in found
        if id_ in table.rows and np.isfinite(score := table.rows[id_]["score"])
    }
    if not scored:
        return found, None
    selection = selection_weights(table.scores, np.array(list(scored.values())))
    found |= dict(zip(scored, selection.weights.tolist(), strict=True))
    return found, selection


def _shared(
    weights: dict[str, float], request: Request, run: RunFolder, earlier: Sequence[Candidate]
) -> dict[str, float]:
    """Returns the weights such that candidates have `share` of the loss of training together."""
    if request.share is None:
        return weights
    known = {one.id: one.split for one in earlier}
    trained = [
        weight
        for id_, weight in weights.items()
        if (known.get(id_) or split_of(id_, request.held_out)) == "train"
    ]
    others = sum(run.read_json("data.json")["counts"]["train"].values()) - sum(
        one.split == "train" for one in _earlier(run)
    )
    wanted = others * request.share / (1 - request.share)
    factor = wanted / sum(trained) if sum(trained) else 1.0
    return {id_: factor * weight for id_, weight in weights.items()}


def write_round(found: Round, *, overwrite: bool = False) -> Path:
    """Writes the candidates of a round and the next experiment file, whose path is returned.

    Raises:
        RunError: the folder is in the way.
        DataError: an image cannot be read, or is of another shape than the run's.
    """
    request, folder = found.request, found.request.candidates_dir
    check_free(folder, overwrite=overwrite)
    # All are read before anything of before is removed.
    held = [(one.id, image) for one, image in found.images.read(found.chosen)]
    cutouts = begin_folder(folder)
    names = {id_: f"{CUTOUTS}/{write_cutout(cutouts, id_, image)}" for id_, image in held}
    candidates = found.candidates(names)
    text = next_experiment(
        found.run, request.next_run.name, folder, request.held_out, len(candidates)
    )
    return write_folder(folder, candidates, text)


def learn(
    request: Request, *, resume: bool = False, overwrite: bool = False
) -> tuple[RunFolder, dict[str, Any]]:
    """Makes the next run of a search out of a run and grades, and measures what it has gained.

    The candidates and the next experiment go to `NEXT_RUN.candidates`; the run to `NEXT_RUN`, with
    what it has gained in `learning.json` and in its report.

    Args:
        request: what is asked for.
        resume: go on with a round whose candidates are written, from the last checkpoint.
        overwrite: replace a round that is there.

    Returns:
        the next run, and what `learning.json` says.

    Raises:
        LensnetError: of the kinds that `plan_round` and `fit` raise.
    """
    found = plan_round(request)
    path = request.candidates_dir / EXPERIMENT
    if not (resume and path.is_file()):
        path = write_round(found, overwrite=overwrite)
    experiment = config.load(path, request.overrides)
    return finish(found, experiment, resume=resume, overwrite=overwrite)


def finish(
    found: Round, experiment: Experiment, *, resume: bool = False, overwrite: bool = False
) -> tuple[RunFolder, dict[str, Any]]:
    """Trains the network of a round that is written, and measures what it has gained."""
    from lensnet.learning.gain import measure_gain
    from lensnet.reporting import write_report
    from lensnet.training import fit

    run = fit(experiment, found.request.next_run, resume=resume, overwrite=overwrite)
    gains, remarks = measure_gain(found.run, run)
    content = {
        "before": str(found.run.path.resolve()),
        "candidates": {split: dict(counts) for split, counts in sorted(found.splits.items())},
        "weights": found.selection.words if found.selection is not None else None,
        "gain": [gain.as_dict() for gain in gains],
        "remarks": [*found.remarks, *remarks],
    }
    run.write_json(LEARNING, content)
    write_report(run.path)
    return run, content
