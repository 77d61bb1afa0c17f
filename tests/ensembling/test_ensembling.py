"""`lensnet ensemble`, from run folders to a run folder."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from lensnet.cli import main
from lensnet.config.ensemble import EnsembleOptions
from lensnet.config.loading import load_ensemble_file
from lensnet.ensembling.ensemble_file import plan_members
from lensnet.errors import ConfigurationError, DataError, RunError
from lensnet.run_folder import RunFolder


@pytest.fixture(scope="module")
def runs(tiny_run, tmp_path_factory):
    """Three runs: the session's, and two of the same data with other weights."""
    from lensnet import load

    folder = tmp_path_factory.mktemp("members")
    found = [tiny_run]
    for seed in (1, 2):
        path = folder / f"seed-{seed}"
        shutil.copytree(tiny_run, path)
        model = load(tiny_run)
        rng = np.random.default_rng(seed)
        model.set_weights(
            [w + 0.05 * np.abs(w) * rng.standard_normal(w.shape) for w in model.get_weights()]
        )
        model.save(path / "model.keras")
        found.append(path)
    return found


@pytest.fixture(scope="module")
def ensemble(runs, tmp_path_factory):
    from lensnet.ensembling import ensemble_runs

    return ensemble_runs(runs, tmp_path_factory.mktemp("made") / "three").path


def _scores(path):
    with path.open(newline="") as stream:
        return np.array([float(row["score_ring"]) for row in csv.DictReader(stream)])


def _images(count=5):
    return np.random.default_rng(3).uniform(size=(count, 32, 32, 1)).astype("float32")


def _answers(path):
    from lensnet.prediction import Predictor

    return Predictor.open(path)(_images())


def test_it_answers_as_its_members_together(runs, ensemble):
    expected = np.mean([_answers(run) for run in runs], axis=0)
    np.testing.assert_allclose(_answers(ensemble), expected, atol=1e-6)


def test_its_folder_is_that_of_a_run(ensemble, capsys):
    run = RunFolder.open(ensemble)
    run.check()
    assert run.read_history() == [], "its members were trained, and it was not"
    metrics = run.read_json("metrics.json")
    rows = run.read_json("ensemble.json")["validation"]
    assert [row["weight"] for row in rows[:3]] == pytest.approx([1 / 3] * 3)
    assert rows[-1]["name"] == "the ensemble"
    assert rows[-1]["validation"]["roc_auc"] == pytest.approx(
        metrics["validation"]["roc_auc"], abs=1e-6
    )
    assert len(_scores(ensemble / "predictions.csv")) == metrics["test"]["examples"]
    assert metrics["test"]["rotation_std"] < 1e-5, "all its members are symmetric"
    page = (ensemble / "report.html").read_text()
    assert "<h2>Members</h2>" in page and "3 networks" in page
    assert "Parts of this run are missing" not in page
    section = run.read_experiment().ensemble
    assert [member.run for member in section.members] == [row["name"] for row in rows[:3]]


def test_predict_says_how_far_its_members_differ(runs, ensemble, tmp_path, image_folder):
    """The standard deviation of what each of them says by itself, beside what all say together."""
    from lensnet.prediction import Predictor, score_files

    files = [image_folder / "ring" / f"{number}.npy" for number in range(8)]
    assert score_files(ensemble, files, tmp_path / "scores.csv") == 8
    images = np.stack([np.load(file) for file in files])[..., None]
    members = np.stack([Predictor.open(run).scores(images)[:, 1] for run in runs])
    with (tmp_path / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = np.array([float(row["uncertainty"]) for row in rows])
    np.testing.assert_allclose(found, members.std(axis=0), atol=1e-5)
    assert found.max() > 1e-4
    together = Predictor.open(ensemble).scores(images)[:, 1]
    np.testing.assert_allclose(_scores(tmp_path / "scores.csv"), together, atol=1e-5)


def test_an_export_gives_its_answers(ensemble, tmp_path):
    import tensorflow as tf

    from lensnet.export import export_run

    target = export_run(ensemble, "saved_model", tmp_path / "export")
    serve = tf.saved_model.load(str(target)).signatures["serving_default"]
    found = serve(images=tf.constant(_images()))["probabilities"].numpy()
    np.testing.assert_allclose(found, _answers(ensemble), atol=1e-5)


def _combined(runs, **options):
    """What is decided of runs, and the model, without the folder and its figures."""
    from lensnet.data import Preprocessing, open_prepared
    from lensnet.ensembling.choosing import combine_runs
    from lensnet.ensembling.members import open_members

    asked = EnsembleOptions(**options)
    members = open_members(runs, asked)
    known = members[0].data
    preprocessing = Preprocessing.from_dict(known.preprocessing.to_dict())
    data = open_prepared(members[0].experiment, known.records, preprocessing)
    return combine_runs(members, data, asked)


def test_selection_and_fitted_weights_say_what_they_did(runs):
    chosen, _ = _combined(runs, select="log_loss", weights="fitted", combine="logits")
    rows = {row["name"]: row for row in chosen.rows}
    assert sum(row["weight"] for row in chosen.rows[: len(runs)]) == pytest.approx(1)
    alone = min(rows[str(run)]["validation"]["log_loss"] for run in runs)
    assert rows["the ensemble"]["validation"]["log_loss"] <= alone + 1e-6
    assert {step["run"] for step in chosen.path} <= {str(run) for run in runs}
    assert chosen.path[-1]["log_loss"] <= chosen.path[0]["log_loss"]


def test_logits_are_combined_as_the_members_have_them(runs):
    from scipy.special import expit, logit

    _, model = _combined(runs, combine="logits")
    members = np.stack([_raw(run) for run in runs]).astype(np.float64)
    expected = expit(logit(members).mean(axis=0))
    np.testing.assert_allclose(model.predict_on_batch(_images()), expected, atol=1e-6)


def _raw(run):
    """What a run's model answers to images that are preprocessed already."""
    from lensnet import load

    return load(run).predict_on_batch(_images())


def test_a_run_that_is_named_twice_is_loaded_once_and_counts_twice(runs):
    chosen, model = _combined([runs[0], runs[1], runs[0]])
    assert chosen.weights.tolist() == pytest.approx([2 / 3, 1 / 3])
    expected = (2 * _raw(runs[0]) + _raw(runs[1])) / 3
    np.testing.assert_allclose(model.predict_on_batch(_images()), expected, atol=1e-6)


def test_one_run_is_its_own_ensemble(runs):
    _, model = _combined(runs[:1])
    np.testing.assert_allclose(model.predict_on_batch(_images()), _raw(runs[0]), atol=1e-7)


def test_a_metric_without_a_value_selects_nothing(runs):
    with pytest.raises(DataError, match="it needs 10 images"):
        _combined(runs, select="tpr10")


def test_what_is_in_the_way_is_left_alone(runs, ensemble, tmp_path):
    from lensnet.ensembling import ensemble_runs

    with pytest.raises(RunError, match="exists already"):
        ensemble_runs(runs, ensemble)
    with pytest.raises(RunError, match="is one of the members"):
        ensemble_runs(runs, runs[1], overwrite=True)
    with pytest.raises(RunError, match="has no training to go on with"):
        RunFolder.open_to_resume(ensemble)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{0}"], "-o DIR"),
        (["{0}", "nowhere", "-o", "x"], "There is no run folder nowhere"),
        (["{0}", "--select", "acuracy", "-o", "x"], 'Did you mean "accuracy"?'),
        (["{0}", "--select", "--combine", "logit", "-o", "x"], "probabilities"),
        (["{0}", "--set", "seed=1", "-o", "x"], "finished runs stay"),
    ],
)
def test_wrong_usage_ends_before_any_work(runs, arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as leave:
        main(["ensemble", *(word.format(*runs) for word in arguments)])
    assert leave.value.code == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "x").exists()


@pytest.fixture
def file(tiny_run, tmp_path, monkeypatch):
    """A file of an experiment with a finished run, one without, and a run by name."""
    monkeypatch.chdir(tmp_path)
    known = yaml.safe_load((tiny_run / "experiment.yaml").read_text())
    (tmp_path / "files").mkdir()
    for seed, name in enumerate(("first", "second")):
        content = {**known, "name": name, "seed": seed}
        content["training"] = {**known["training"], "epochs": 1}
        (tmp_path / "files" / f"{name}.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "files" / "all.yaml").write_text(
        "name: all\nexperiments: [first.yaml, second.yaml]\n"
        f"runs: ['{tiny_run}']\nselect: tpr@0.1\nreplacement: false\n"
    )
    first = tmp_path / "runs" / "first"
    shutil.copytree(tiny_run, first)
    shutil.copy(tmp_path / "files" / "first.yaml", first / "experiment.yaml")
    return Path("files/all.yaml")


def test_a_file_says_what_is_to_be_fitted(file):
    planned = plan_members(load_ensemble_file(file), file)
    assert [member.is_finished for member in planned] == [True, False]
    assert [str(member.run.path) for member in planned] == ["runs/first", "runs/second"]


def test_the_run_of_another_experiment_is_not_mistaken(file):
    with pytest.raises(RunError, match="is not the run of files/first.yaml.*training.epochs"):
        plan_members(load_ensemble_file(file), file, ["training.epochs=3"])


def test_experiments_that_cannot_be_one_are_refused_before_any_is_fitted(file):
    text = file.with_name("second.yaml").read_text()
    file.with_name("second.yaml").write_text(text.replace("image_size: null", "image_size: 24"))
    with pytest.raises(ConfigurationError, match=r"second.yaml:\d+: .*image_size is None and 24"):
        plan_members(load_ensemble_file(file), file)
    file.with_name("second.yaml").write_text(text.replace("name: second", "name: first"))
    with pytest.raises(ConfigurationError, match="have one name, first"):
        plan_members(load_ensemble_file(file), file)


def test_what_a_file_asks_for_is_refused_by_its_line(file, capsys):
    file.write_text(file.read_text().replace("tpr@0.1", "tpr"))
    with pytest.raises(SystemExit) as leave:
        main(["ensemble", str(file)])
    assert leave.value.code == 2
    assert 'files/all.yaml:4: There is no metric "tpr"' in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_fits_what_has_no_run(file, capsys):
    before = Path("runs/first/model.keras").stat().st_mtime_ns
    main(["ensemble", str(file)])
    assert Path("runs/first/model.keras").stat().st_mtime_ns == before
    assert Path("runs/second/metrics.json").is_file()
    told = RunFolder.open("runs/all").read_json("ensemble.json")
    assert len(told["validation"]) == 5
    assert "tpr@0.1" in capsys.readouterr().out
    for command in ("evaluate", "invariance", "report", "export"):
        main([command, "runs/all"])
