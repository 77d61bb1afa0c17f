"""The files of the small studies, and in what order their rows are run."""

import signal
import subprocess
import time
from collections import Counter

import numpy as np
import pytest
import yaml
from small_results import QuestionResults, committees_of
from small_studies import Driver, Stopped, Trainings, cells_of, work_through
from small_study_files import QUESTIONS, ROOT, STUDIES, Study, studies

from lensnet import registry
from lensnet.config.documents import parse_document
from lensnet.config.inheritance import with_bases
from lensnet.config.loading import override, read_document, validate
from lensnet.evaluation.cost import count_network


def experiment_of(row):
    document = with_bases(read_document(row.recipe), row.recipe, read_document)
    for text in row.settings(0):
        override(document, text)
    return validate(document, check_source=False)


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_row_is_an_experiment_of_its_own(name):
    rows = [row for row in Study.load(name).rows() if row.recipe is not None]
    experiments = [experiment_of(row) for row in rows]
    assert all(count == 1 for count in Counter(one.name for one in experiments).values())
    for one in experiments:
        assert registry.datasets.get(one.data.dataset).serves(one.task_spec)
    # No two rows are the same but for their names.
    contents = [one.model_copy(update={"name": ""}).model_dump_json() for one in experiments]
    assert len(set(contents)) == len(rows)


def counted(row):
    experiment = experiment_of(row)
    size = experiment.data.image_size or experiment.dataset_options.image_size
    return count_network(experiment, (size, size, 1), len(experiment.dataset.classes or ()))


def test_every_network_can_be_built():
    for study in studies():
        rows = [row for row in study.rows() if row.recipe is not None]
        assert all(counted(row).multiply_adds > 0 for row in rows)


def test_networks_of_a_width_cost_the_same_where_they_should():
    rows = {row.name: row for row in Study.load("symmetry").rows()}
    plain = counted(rows["model_i/augmented/width-0.5/2400"])
    for name in ("c4", "d4", "rot4", "rot4-inputs", "c8"):
        found = counted(rows[f"model_i/{name}/width-0.5/2400"])
        # Fields are whole: those of c8 are eight channels each.
        assert found.multiply_adds == pytest.approx(plain.multiply_adds, rel=0.12)
    averaged = counted(rows["model_i/averaged-d4/width-0.5/2400"])
    assert averaged.multiply_adds == 8 * plain.multiply_adds
    for row in (rows["model_i/d4-parameters/width-0.5/2400"], rows["model_i/c4/width-1/2400"]):
        assert counted(row).parameters == pytest.approx(plain.parameters, rel=0.02)


def test_every_folder_is_a_question_and_its_page_says_so():
    folders = {path.parent.name for path in STUDIES.glob("*/study.yaml")}
    assert folders == set(QUESTIONS)
    for study in studies():
        text = (STUDIES / study.name / "study.yaml").read_text()
        assert text.startswith("# Question")
        assert "\n# Cost: " in text and "python benchmarks/small_studies.py" in text


def test_every_test_set_that_is_named_is_there_and_no_other():
    named = {test for study in studies() for table in study.tables.values() for test in table.tests}
    assert named == {path.stem for path in (STUDIES / "tests").glob("*.yaml")}
    for study in studies():
        for table in study.tables.values():
            assert table.judged_by in [*table.tests, "test"]


def test_no_test_set_has_the_seed_of_a_training():
    for path in (STUDIES / "tests").glob("*.yaml"):
        data = yaml.safe_load(path.read_text())["data"]
        assert "source_dir" in data or data["seed"] == 1_000_000
        known = registry.datasets.get(data["dataset"])
        known.options.model_validate(data.get("options", {}))


def test_a_value_of_an_axis_stands_for_keys():
    rows = {row.name: row for row in Study.load("symmetry").rows()}
    of_lenses = rows["lens_finding/d4/width-0.5/300"]
    experiment = experiment_of(of_lenses)
    assert experiment.model.symmetry == "d4" and experiment.model.width == 0.5
    assert experiment.dataset_options.examples_per_class == 300
    assert of_lenses.command(2).endswith("--set seed=2")
    assert (ROOT / of_lenses.command().split()[2]).is_file()


def test_the_rows_of_model_i_are_those_of_the_benchmark_of_endless_images():
    rows = {row.name: row for row in Study.load("symmetry").rows()}
    experiment = experiment_of(rows["model_i/c4/width-0.5/2400"])
    assert (experiment.data.image_size, experiment.training.epochs) == (97, 15)
    assert experiment.training.batch_size == 32 and experiment.training.early_stopping is None
    endless = experiment_of(rows["model_i/c4/width-0.5/endless"])
    assert endless.data.fresh and endless.training.steps_per_epoch == 75


def test_rows_to_compare_come_together_and_first():
    cells = [cell.name for cell in cells_of([Study.load("symmetry")], [0, 1], smoke=False)]
    assert cells[:3] == [
        f"symmetry/model_i/{name}/width-0.5/2400/seed-0" for name in ("augmented", "c4", "d4")
    ]
    # Both seeds of what tells most come before the first of the next.
    assert cells.index("symmetry/model_i/augmented/width-0.5/endless/seed-0") == 12
    smoke = cells_of(studies(), None, smoke=True)
    assert {cell.row.study.name for cell in smoke} == set(QUESTIONS)


def test_results_are_kept_from_call_to_call(tmp_path):
    study = Study.load("mass")
    QuestionResults(tmp_path, study, {}).add({"row": "a", "seed": 0})
    again = QuestionResults(tmp_path, study, {})
    assert again.has("a", 0) and not again.has("a", 1)
    again.add({"row": "a", "seed": 1})
    assert [row["environment"] for row in again.runs] == [0, 0]


def test_a_committee_is_the_mean_of_its_members(tmp_path):
    labels = np.array([0] * 10 + [1] * 2)
    # Each of the two errs about another galaxy, and both see the lenses.
    scores = {"plain": [0.9] + [0.0] * 9 + [0.6, 0.8], "c4": [0.0, 0.9] + [0.0] * 8 + [0.7, 0.8]}
    paths = {}
    for kind, values in scores.items():
        paths[kind, 0] = tmp_path / f"{kind}.npz"
        np.savez(paths[kind, 0], labels=labels, scores=np.array(values))
    rows = {(row["size"], row["kind"]): row for row in committees_of(paths, [2])}
    assert rows[1, "plain"]["tpr0"][0] == 0.0 and rows[1, "c4"]["tpr0"][0] == 0.0
    # Means 0.45 and 0.45 of the galaxies against 0.65 and 0.8.
    assert rows[2, "mixed"]["tpr0"] == [1.0, None]


def test_trainings_are_asked_to_stop_when_time_is_over():
    trainings = Trainings()
    process = subprocess.Popen(["sleep", "60"])
    with pytest.raises(Stopped):
        trainings.wait(process, 0.05)
    assert process.returncode == -signal.SIGTERM
    # The other jobs' as well, and none that begins later.
    another = subprocess.Popen(["sleep", "60"])
    with pytest.raises(Stopped):
        trainings.wait(another, None)
    assert Trainings().wait(subprocess.Popen(["true"]), None) == 0


def test_without_budget_nothing_is_begun(tmp_path, capsys):
    study = Study.load("mass")
    results = {"mass": QuestionResults(tmp_path, study, {})}
    driver = Driver(tmp_path, {}, results, time.monotonic(), 1, False, Trainings())
    work_through(driver, cells_of([study], [0], smoke=False))
    assert "4 rows are left" in capsys.readouterr().out
    assert not (tmp_path / "runs").exists() and not results["mass"].runs


def test_a_row_whose_files_are_not_named_is_left_out(tmp_path, capsys):
    study = Study.load("rotated_mnist")
    results = {study.name: QuestionResults(tmp_path, study, {})}
    driver = Driver(tmp_path, {}, results, None, 1, False, Trainings())
    work_through(driver, cells_of([study], [0], smoke=True))
    assert "it needs --files rotated_mnist=PATH" in capsys.readouterr().err


def test_a_key_that_is_none_is_refused():
    text = "question: x\nasks: x\naxes: {}\ntables: {a: {rows: [{}], smoke: [], test: []}}"
    with pytest.raises(ValueError, match="test"):
        Study.model_validate({"name": "x", **parse_document(text, "x").content})
