"""A threshold with what it yields and what speaks against it, from arrays, tables and a run."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from score_surveys import ScoreSurvey

from lensnet.cli.main import cli
from lensnet.csv_tables import writing_table
from lensnet.errors import ConfigurationError, DataError
from lensnet.purity.bounds import Claim
from lensnet.purity.choosing import ScoreSample
from lensnet.purity.finding import Features, find_threshold
from lensnet.purity.samples import (
    class_looked_for,
    read_features,
    read_labelled,
    read_survey_scores,
    rounded,
)

CLAIM = Claim(5e-3, 0.6, objects=20_000)


def samples(seed=0, sizes=(500, 10_000)):
    rng = np.random.default_rng(seed)
    return [ScoreSurvey().sample(rng, *sizes) for _ in range(2)]


def test_a_survey_like_the_calibration_gets_a_threshold_and_no_warning():
    survey = ScoreSurvey().survey(np.random.default_rng(1), 20_000, 5e-3)
    found = find_threshold(*samples(), CLAIM, survey)
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert content["warnings"] == [] and content["refusal"] is None
    false, true = ScoreSurvey().rates(content["threshold"])
    expected = 20_000 * (5e-3 * true + 0.995 * false)
    low, high = content["candidates"]["interval"]
    assert low < expected < high
    assert low <= content["survey"]["candidates"] <= high
    assert content["survey"]["candidates"] == np.sum(survey >= content["threshold"])
    assert content["completeness"]["interval"][0] < true < content["completeness"]["interval"][1]
    assert content["purity_at_least"] >= 0.6
    assert content["claimed_of"] == "a survey of 20000 objects"


def test_what_has_moved_is_said():
    rng = np.random.default_rng(1)
    more = find_threshold(*samples(), CLAIM, ScoreSurvey().survey(rng, 20_000, 0.03))
    assert "the claim holds all the more" in " ".join(more.warnings)
    fewer = find_threshold(*samples(), CLAIM, ScoreSurvey().survey(rng, 20_000, 5e-5))
    assert "less than claimed" in " ".join(fewer.warnings)
    shifted = ScoreSurvey(shift=0.5).survey(rng, 20_000, 5e-3)
    assert (
        "The data have moved: the scores" in find_threshold(*samples(), CLAIM, shifted).warnings[0]
    )
    features = Features(
        rng.normal(size=(400, 8)), np.arange(400) < 10, rng.normal(0.7, 1, (300, 8))
    )
    found = find_threshold(*samples(), CLAIM, features=features)
    assert len(found.warnings) == 1 and "by its features" in found.warnings[0]


def test_refusals_say_what_is_lacking():
    rng = np.random.default_rng(0)
    few = find_threshold(*samples(sizes=(200, 300)), Claim(5e-4, 0.5))
    assert "300 negatives" in few.refusal and "at least" in few.refusal
    assert few.to_json()["calibration"]["negatives_needed"] > 6000
    noise = ScoreSurvey(separation=-5).sample(rng, 400, 20_000)
    blind = find_threshold(noise, noise, Claim(5e-3, 0.9))
    assert blind.refusal and blind.yields == {}


def test_scores_that_are_all_the_highest_are_told_of():
    negatives = samples()[0].negatives.clip(0, 0.5)
    apart = ScoreSample(np.ones(50), negatives)
    assert not find_threshold(apart, apart, Claim(5e-3, 0.5)).warnings
    mixed = ScoreSample(np.ones(50), np.append(negatives, np.ones(200)))
    found = find_threshold(mixed, mixed, Claim(5e-3, 0.5))
    assert found.refusal and "share the highest score" in found.warnings[0]


def write_scores(path, sample, rng, labelled):
    scores = np.concatenate([sample.positives, sample.negatives])
    labels = ["lens"] * len(sample.positives) + ["0"] * len(sample.negatives)
    columns = ["id", "status", "predicted", "score_galaxy", "score_lens"]
    with writing_table(path, [*columns, *(["label"] if labelled else [])], columns[3:]) as table:
        for number in rng.permutation(len(scores)):
            cells = [f"obj{number}", "ok", "lens", f"{1 - scores[number]:.7g}"]
            cells.append(f"{scores[number]:.7g}")
            table.row([*cells, *([labels[number]] if labelled else [])])
        bad = ["bad", "the file is empty", "", "", ""]
        table.row([*bad, *(["0"] if labelled else [])])
    return path


def test_tables_of_scores(tmp_path):
    rng = np.random.default_rng(0)
    sample = ScoreSurvey().sample(rng, 60, 900)
    path = write_scores(tmp_path / "labelled.csv", sample, rng, labelled=True)
    survey = read_survey_scores(path, "lens")
    everything = np.sort(np.concatenate([sample.positives, sample.negatives]))
    np.testing.assert_allclose(np.sort(survey), everything, rtol=1e-6)
    halves = read_labelled(path, ("galaxy", "lens"), 1)
    positives = np.sort(np.concatenate([half.positives for half in halves]))
    np.testing.assert_array_equal(positives, np.sort(rounded(sample.positives)))
    assert sum(len(half.negatives) for half in halves) == 900
    assert 0.2 < len(halves[0].negatives) / 900 < 0.45
    with pytest.raises(DataError, match="score_ring"):
        read_survey_scores(path, "ring")
    bare = write_scores(tmp_path / "bare.csv", sample, rng, labelled=False)
    with pytest.raises(DataError, match="no column `label`"):
        read_labelled(bare, ("galaxy", "lens"), 1)
    with pytest.raises(DataError, match='label "lens"'):
        path.write_text(path.read_text().replace("score_lens", "score_ring"))
        read_labelled(path, ("galaxy", "ring"), 1)


def test_which_class_is_looked_for():
    assert class_looked_for(("galaxy", "lens"), None) == 1
    assert class_looked_for(("lens", "galaxy", "star"), "lens") == 0
    for classes, name, words in (
        ((), None, "predicts a quantity"),
        (("a", "b", "c"), None, "--class"),
        (("galaxy", "lens"), "lenss", 'Did you mean "lens"'),
    ):
        with pytest.raises(ConfigurationError, match=words):
            class_looked_for(classes, name)


def test_features_of_a_file(tmp_path):
    features = np.arange(12.0, dtype=np.float32).reshape(4, 3)
    np.savez(tmp_path / "f.npz", features=features, label=np.array(["a", "b", "a", "b"]))
    read, labels = read_features(tmp_path / "f.npz")
    np.testing.assert_array_equal(read, features)
    assert labels == ["a", "b", "a", "b"]
    (tmp_path / "g.npz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="lensnet embed"):
        read_features(tmp_path / "g.npz")


def test_a_run_is_too_small_for_a_claim_unless_labelled_objects_are_named(tiny_run, tmp_path):
    output = tmp_path / "threshold.json"
    words = ["threshold", str(tiny_run), "--prevalence", "0.005", "--purity", "0.6"]
    words += ["-o", str(output)]
    with pytest.raises(DataError, match=r"negatives, and it takes at least|cannot be claimed"):
        CliRunner().invoke(cli, words, catch_exceptions=False)
    content = json.loads(output.read_text())
    assert content["threshold"] is None and content["refusal"]
    assert content["calibration"]["negatives"] == 6

    rng = np.random.default_rng(0)
    sample = ScoreSurvey().sample(rng, 500, 12_000)
    table = write_scores(tmp_path / "labelled.csv", sample, rng, labelled=True)
    table.write_text(table.read_text().replace("lens", "ring"))
    asked = [*words, "--calibration", str(table), "--scores", str(table)]
    with pytest.raises(Exception, match="exists already"):
        CliRunner().invoke(cli, asked, catch_exceptions=False)
    done = CliRunner().invoke(cli, [*asked, "--overwrite"], catch_exceptions=False)
    content = json.loads(output.read_text())
    assert done.exit_code == 0 and 0.5 < content["threshold"] < 1
    # A table of which a twenty-fifth is lenses is no survey of that prevalence.
    assert "The prevalence is not the stated one" in done.output
