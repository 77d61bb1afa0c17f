"""What is kept of a run of the small studies."""

import numpy as np
import pytest
from small_measurements import curve_of, search_for_substructure, shortened


def test_curve_counts_images_and_seconds_to_the_end_of_each_epoch():
    history = [{"seconds": "2.5", "val_auc": "0.7"}, {"seconds": "1.25", "val_auc": "0.812345678"}]
    assert curve_of(history, 2400) == [[2400, 2.5, 0.7], [4800, 3.8, 0.81235]]
    # A regression has no AUC.
    assert curve_of([{"seconds": "2.5", "val_mae": "0.1"}], 2400) == []


def test_substructure_of_any_kind_is_searched_for():
    # 100 without, one of which looks like substructure at 0.9; one of each kind, at 0.95 and 0.5.
    without = np.full((100, 3), [0.8, 0.1, 0.1])
    without[0] = [0.1, 0.1, 0.8]
    outputs = np.concatenate([without, [[0.05, 0.95, 0.0], [0.5, 0.0, 0.5]]])
    found = search_for_substructure(np.array([0] * 100 + [1, 2]), outputs)
    assert found["tpr0"] == 0.5
    assert found["tpr_at_fpr_1e-2"] == 1.0
    # A hundred are too few to know it.
    assert found["tpr_at_fpr_1e-3"] is None


def test_metrics_keep_six_digits_and_what_is_no_number():
    found = shortened({"a": 0.123456789, "examples": 12345678, "tpr0": None})
    assert found == {"a": pytest.approx(0.123457, abs=0), "examples": 12345678, "tpr0": None}
