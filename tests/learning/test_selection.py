"""Weights that undo a selection by score: what was graded then stands for all that was scored."""

import numpy as np
import pytest

from lensnet.learning.selection import effective_number, selection_weights, truncated

RANDOM = np.random.default_rng(0)
SCORES = np.sort(RANDOM.beta(0.3, 5, 20_000))[::-1]


def test_the_best_alone_stand_for_themselves():
    found = selection_weights(SCORES, SCORES[:200])
    np.testing.assert_allclose(found.inverse, 1)
    np.testing.assert_allclose(found.weights, 1)
    assert found.outside == 19_800 and found.effective == pytest.approx(200)
    assert "19800 score where none was graded" in found.words


def test_a_random_control_stands_for_the_rest():
    """The weighted mean of any property is that of all objects: Horvitz and Thompson's estimate."""
    truth = (RANDOM.uniform(size=len(SCORES)) < SCORES).astype(float)
    estimates, naive = [], []
    for seed in range(8):
        control = np.random.default_rng(seed).choice(np.arange(200, 20_000), 300, replace=False)
        graded = np.concatenate([np.arange(200), control])
        found = selection_weights(SCORES, SCORES[graded])
        estimates.append(np.average(truth[graded], weights=found.weights))
        naive.append(truth[graded].mean())
    error = np.std(estimates) / np.sqrt(8)
    assert abs(np.mean(estimates) - truth.mean()) < 4 * error + 0.002
    assert np.mean(naive) > 3 * truth.mean(), "without weights the best are far too many"
    np.testing.assert_allclose(np.median(found.inverse[:200]), 1)
    np.testing.assert_allclose(np.median(found.inverse[200:]), 19_800 / 300, rtol=0.1)


def test_a_selection_that_is_not_of_the_best():
    uncertain = np.arange(5_000, 6_000, 5)
    found = selection_weights(SCORES, SCORES[uncertain])
    np.testing.assert_allclose(found.inverse, 5, rtol=0.02)
    assert found.outside == pytest.approx(19_000, abs=5)


def test_the_order_of_the_graded_does_not_matter_and_equal_scores_count_alike():
    scores = np.round(SCORES, 2)
    graded = RANDOM.permutation(np.concatenate([scores[:150], scores[200:20_000:100]]))
    found = selection_weights(scores, graded)
    order = np.argsort(graded)
    again = selection_weights(scores, graded[order])
    np.testing.assert_allclose(found.weights[order], again.weights)
    for score in np.unique(graded):
        assert np.ptp(found.weights[graded == score]) == 0


def test_many_graded_objects_are_as_few():
    graded = np.concatenate([np.arange(6_000), np.arange(6_000, 20_000, 7)])
    found = selection_weights(SCORES, SCORES[graded])
    np.testing.assert_allclose(np.median(found.inverse[:6_000]), 1, rtol=1e-3)
    np.testing.assert_allclose(np.median(found.inverse[6_000:]), 7, rtol=0.02)
    every = selection_weights(SCORES, SCORES)
    assert every.weights.tolist() == [1.0] * len(SCORES) and every.outside == 0


def test_objects_without_a_score_are_none():
    scores = np.concatenate([SCORES[:1000], np.full(500, np.nan)])
    assert selection_weights(scores, SCORES[:1000:10]).objects == 1000


@pytest.mark.parametrize("graded", [[], [np.nan], [2.0]])
def test_what_was_not_scored_was_not_selected(graded):
    with pytest.raises(ValueError, match="graded object"):
        selection_weights(SCORES, np.array(graded))


def test_one_graded_object():
    found = selection_weights(SCORES, SCORES[:1])
    assert found.weights.tolist() == [1.0] and "count as 1 of 1" in found.words


def test_truncation_is_that_of_ionides():
    """Against the definition: min(w, mean(w) sqrt(N))."""
    weights = np.random.default_rng(1).pareto(0.5, 400) + 1
    kept, cut = truncated(weights)
    expected = np.minimum(weights, weights.mean() * 20)
    np.testing.assert_allclose(kept, expected / expected.mean())
    assert cut == np.sum(weights > weights.mean() * 20) > 0
    assert effective_number(kept) > effective_number(weights)
