"""Which rows of a table of scores are looked at."""

import numpy as np
import pytest

from lensnet.data.tables import open_table
from lensnet.errors import ConfigurationError, DataError
from lensnet.inspection.choosing import Choice, choose
from lensnet.inspection.score_columns import ScoreColumns


class Pieces:
    """A table that comes in small pieces."""

    def __init__(self, path, rows):
        self._table, self._rows = open_table(path), rows
        self.path, self.column_names = path, self._table.column_names

    def pieces(self):
        return self._table.pieces(self._rows)


def chosen(path, choice, rows=100, score=None):
    table = Pieces(path, rows)
    found = choose(table, ScoreColumns.of(table.column_names, score), choice)
    return found, found.rows["id"].to_pylist()


def test_the_best_and_a_range(scores):
    found, ids = chosen(scores, Choice(count=3, first=2))
    assert ids == ["J0002", "J0003", "J0004"]
    assert (found.scored, found.unscored) == (1004, 1)
    assert chosen(scores, Choice(count=5000))[1][1:] == [f"J{n:04}" for n in range(1, 1004)]
    between = chosen(scores, Choice(count=50, between=(0.5, 0.6)))[0].rows["score_lens"].to_pylist()
    assert len(between) == 50 and min(between) >= 0.5 and 0.599 < max(between) <= 0.6
    worst = chosen(scores, Choice(count=1), score="galaxy")[1]
    assert worst == ["J1003"]


def test_the_uncertain(scores, tmp_path):
    found, _ = chosen(scores, Choice("uncertain", 10))
    everything = np.array([(n * 7919 % 1005) / 1005 for n in range(1004)])
    given = found.rows["uncertainty"].to_pylist()
    np.testing.assert_allclose(given, np.sort(everything)[::-1][:10])
    # Without a column of uncertainty: where the two classes are nearest to each other.
    path = tmp_path / "s.csv"
    path.write_text("id,score_a,score_b\n1,0.9,0.1\n2,0.45,0.55\n3,,\n4,0.3,0.7\n")
    assert chosen(path, Choice("uncertain", 2))[1] == [2, 4]
    path.write_text("id,score\n1,0.9\n")
    with pytest.raises(ConfigurationError, match="does not say which rows are uncertain"):
        chosen(path, Choice("uncertain", 2))


def test_the_random_control(scores):
    first = chosen(scores, Choice("random", 100, seed=1))[1]
    assert first == chosen(scores, Choice("random", 100, seed=1), rows=333)[1]
    assert first != chosen(scores, Choice("random", 100, seed=2))[1]
    assert len(set(first)) == 100 and "J1004" not in first
    # Of all thousand, not of the best: the mean rank of 100 is 502 with a sigma of 27.5.
    ranks = [int(id_[1:]) for id_ in first if id_.startswith("J")]
    assert abs(np.mean(ranks) - 502) < 5 * 27.5 and np.std(ranks) > 200


def test_equal_scores_keep_their_order(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("id,score\n" + "".join(f"a{n},1\n" for n in range(50)))
    assert chosen(path, Choice(count=20), rows=7)[1] == [f"a{n}" for n in range(20)]


def test_nothing_to_look_at(scores, tmp_path):
    with pytest.raises(DataError, match="None of the 1004 scored rows .* scores 2 to 3"):
        chosen(scores, Choice(between=(2, 3)))
    path = tmp_path / "s.csv"
    path.write_text("id,score,status\n1,,the file is empty\n")
    with pytest.raises(DataError, match="None of the 1 rows .* has a score"):
        chosen(path, Choice())
    path.write_text("id,score\n1,high\n")
    with pytest.raises(DataError, match="score of .* does not hold numbers"):
        chosen(path, Choice())


def test_which_column():
    assert ScoreColumns.of(["id", "prediction", "sigma"]).uncertainty == "sigma"
    assert ScoreColumns.of(["id", "score_a", "score_b", "score_c"], "b").score == "score_b"
    with pytest.raises(ConfigurationError, match="Name one by --score, of score_a, score_b"):
        ScoreColumns.of(["id", "score_a", "score_b", "score_c"])
    with pytest.raises(ConfigurationError, match='no column score_lems. Did you mean "score_lens"'):
        ScoreColumns.of(["id", "score_lens"], "score_lems")
