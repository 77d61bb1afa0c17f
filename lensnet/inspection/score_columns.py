"""Which columns of a table of scores say what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lensnet.errors import ConfigurationError, did_you_mean

__all__ = ["ScoreColumns"]


@dataclass(frozen=True)
class ScoreColumns:
    """The columns of a table of scores that are needed to choose among its rows.

    Args:
        score: by which candidates are the best.
        classes: the scores of all classes; none for a quantity.
        uncertainty: how unsure each row is; None where the table does not say.
    """

    score: str
    classes: tuple[str, ...] = ()
    uncertainty: str | None = None

    @classmethod
    def of(cls, columns: Sequence[str], wanted: str | None = None) -> ScoreColumns:
        """Finds them among a table's columns.

        The score is by default that of the positive class, the second of two; of a table of
        another program its only column of scores.

        Args:
            columns: of the table.
            wanted: the column of the score, or the name of the class; None for the default.

        Raises:
            ConfigurationError: there is no such column, or more than one that could be meant.

        >>> ScoreColumns.of(["id", "predicted", "score_galaxy", "score_lens"]).score
        'score_lens'
        """
        classes = tuple(name for name in columns if name.startswith("score_"))
        return cls(
            score=_score(columns, classes, wanted),
            classes=classes,
            uncertainty=next((name for name in ("uncertainty", "sigma") if name in columns), None),
        )


def _score(columns: Sequence[str], classes: tuple[str, ...], wanted: str | None) -> str:
    if wanted is not None:
        for name in (wanted, f"score_{wanted}"):
            if name in columns:
                return name
        raise ConfigurationError(
            f"There is no column {wanted}.{did_you_mean(wanted, columns)} Columns: "
            f"{', '.join(columns)}."
        )
    if len(classes) in (1, 2):
        return classes[-1]
    if not classes:
        for name in ("prediction", "score", "probability"):
            if name in columns:
                return name
    known = ", ".join(classes or columns)
    raise ConfigurationError(
        f"By which column are candidates the best? Name one by --score, of {known}."
    )
