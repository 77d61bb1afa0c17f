"""Searches by one process, whose trials are a formula: what is kept, and what is gone on with."""

import csv
import re

import pytest
from optuna.trial import TrialState
from search_formula import formula, value_of

from lensnet import config
from lensnet.cli import main
from lensnet.errors import ConfigurationError, LensnetError, RunError
from lensnet.search import search
from lensnet.search.study import MOST_STARTS, SharedStudy


def table(folder):
    with folder.table_file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_search_from_its_file_to_its_best(plan, tmp_path):
    def mixed(experiment, run_dir, objectives, report):
        if run_dir.name == "0001":
            raise LensnetError("The training loss became nan in epoch 1, step 3.")
        if run_dir.name == "0002":
            raise MemoryError("16 GB")
        return formula(experiment, run_dir, objectives, report)

    found = search(plan(), tmp_path / "found", objective=mixed)
    rows = table(found)
    assert [row["trial"] for row in rows] == [f"{number:04d}" for number in range(6)]
    assert [row["state"] for row in rows].count("failed") == 2
    assert "became nan" in rows[1]["reason"] and "out of memory" in rows[2]["reason"]
    complete = [row for row in rows if row["state"] == "complete"]
    best = max(complete, key=lambda row: float(row["val_auc"]))
    # The experiment is one that `lensnet fit` takes, with the values of the best trial.
    experiment = config.load(found.best_file)
    assert experiment.name == "formula-best"
    rate = float(best["training.optimizer.learning_rate"])
    assert experiment.training.optimizer.learning_rate == rate
    assert value_of(experiment) == float(best["val_auc"])
    page = found.report_file.read_text()
    assert "Parallel coordinates" in page and "became nan" in page
    assert not re.search(r"(src|href)=.?(http|//)|<script", page)
    # The same command again: refused without --resume, and with it nothing is left to do.
    with pytest.raises(RunError, match="exists already.*--resume"):
        search(plan(), found.path, objective=formula)
    with pytest.raises(RunError, match="another value of seed"):
        search(plan("seed=3"), found.path, resume=True, objective=formula)

    def never(*arguments):
        raise AssertionError("A trial is done twice.")

    search(plan(), found.path, resume=True, objective=never)
    assert table(found) == rows
    # More trials of the same search are no other search.
    search(plan("trials=7"), found.path, resume=True, objective=formula)
    assert table(found)[:6] == rows and len(table(found)) == 7


def test_a_trial_that_was_interrupted_is_gone_on_with(plan, tmp_path):
    """By the same values, and what had been reported is not judged again."""
    begun = []

    def interrupted(experiment, run_dir, objectives, report):
        begun.append((run_dir.name, experiment.training.optimizer.learning_rate))
        if run_dir.name == "0001" and len(begun) == 2:
            report(1, 0.5)
            raise KeyboardInterrupt
        return formula(experiment, run_dir, objectives, report)

    few = plan("trials=3", "pruner=none")
    with pytest.raises(KeyboardInterrupt):
        search(few, tmp_path / "found", objective=interrupted)
    found = search(few, tmp_path / "found", resume=True, objective=interrupted)
    assert [name for name, _ in begun] == ["0000", "0001", "0001", "0002"]
    assert begun[1] == begun[2]
    (again,) = [t for t in SharedStudy(few, found).trials() if t.number == 1]
    assert again.state == TrialState.COMPLETE and again.intermediate_values[1] == 0.5


def test_a_kill_while_a_trial_is_drawn_loses_none(plan, tmp_path, monkeypatch):
    few = plan("trials=2", "pruner=none")
    with monkeypatch.context() as patch:

        def killed(*arguments):
            raise KeyboardInterrupt

        patch.setattr("lensnet.search.study.drawing", lambda trial: killed)
        with pytest.raises(KeyboardInterrupt):
            search(few, tmp_path / "found", objective=formula)
    found = search(few, tmp_path / "found", resume=True, objective=formula)
    assert [row["state"] for row in table(found)] == ["complete", "complete"]


def test_two_take_different_trials_and_none_of_a_living_one(plan, tmp_path):
    few = plan("trials=2", "sampler=tpe")
    begun = []

    def beside_another(experiment, run_dir, objectives, report):
        begun.append(run_dir.name)
        if run_dir.name == "0000":
            # As another process does while this one is at its trial.
            search(few, run_dir.parents[1], resume=True, objective=beside_another)
        return formula(experiment, run_dir, objectives, report)

    found = search(few, tmp_path / "found", objective=beside_another)
    assert begun == ["0000", "0001"]
    assert [row["state"] for row in table(found)] == ["complete", "complete"]


def test_a_mistake_that_all_trials_have_ends_the_search(plan, tmp_path):
    def broken(experiment, run_dir, objectives, report):
        raise ConfigurationError("Batches of 8 images cannot be shared by 16 devices.")

    with pytest.raises(ConfigurationError, match=r"All 5 trials .* shared by 16 devices"):
        search(plan(), tmp_path / "found", objective=broken)
    assert "shared by 16 devices" in (tmp_path / "found" / "report.html").read_text()


def test_a_trial_that_ends_its_process_each_time_does_not_do_so_for_ever(plan, tmp_path):
    def deadly(experiment, run_dir, objectives, report):
        if run_dir.name == "0000":
            raise SystemExit
        return formula(experiment, run_dir, objectives, report)

    two = plan("trials=2")
    for again in range(MOST_STARTS):
        with pytest.raises(SystemExit):
            search(two, tmp_path / "found", resume=again > 0, objective=deadly)
    found = search(two, tmp_path / "found", resume=True, objective=deadly)
    assert [row["state"] for row in table(found)] == ["failed", "complete"]
    assert "has it taken all memory?" in table(found)[0]["reason"]


def test_several_objectives_have_a_front(plan, tmp_path):
    def two_of_them(experiment, run_dir, objectives, report):
        assert list(objectives) == ["val_auc", "parameters"]
        return [value_of(experiment), 1e6 * (1 - experiment.model.head.dropout)]

    several = plan("objective=[val_auc, parameters]", "sampler=nsga2", "trials=5")
    assert several.pruner.name == "none" and several.directions == ["max", "min"]
    found = search(several, tmp_path / "found", objective=two_of_them)
    page = found.report_file.read_text()
    assert "No other trial surpasses" in page
    found.report_file.unlink()
    main(["report", str(found.path)])
    assert found.report_file.read_text() == page


def test_a_folder_of_something_else_is_left_alone(plan, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    with pytest.raises(RunError, match="holds chapter.tex .* left alone"):
        search(plan(), tmp_path / "thesis", objective=formula)
