import csv
import itertools
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import keras
import numpy as np
import pytest
from lens_images import experiment_on

from lensnet import config
from lensnet.config import Experiment
from lensnet.data import prepare
from lensnet.errors import ConfigurationError, LensnetError, RunError
from lensnet.evaluation.evaluating import evaluate_run
from lensnet.evaluation.run_invariance import measure_invariance
from lensnet.prediction import load
from lensnet.run_folder import RunFolder
from lensnet.training import fit, run_checkpoint


def experiment(image_folder, data_dir, **sections):
    return Experiment.model_validate(experiment_on(image_folder, data_dir, **sections))


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def weights(run):
    return load(run).get_weights()


def assert_equal_weights(one, other):
    for mine, theirs in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def assert_same_run(one, other):
    """The same weights, predictions and history, but for how long an epoch took."""
    assert_equal_weights(one, other)
    runs = (one, other)
    predictions = [(run / "predictions.csv").read_text() for run in runs]
    assert predictions[0] == predictions[1]
    histories = [rows(run / "history.csv") for run in runs]
    for row in itertools.chain(*histories):
        del row["seconds"]
    assert histories[0] == histories[1]


class TestRunFolder:
    def test_everything_is_there(self, tiny_run):
        names = {path.name for path in tiny_run.iterdir()}
        assert names >= {
            "experiment.yaml",
            "environment.json",
            "history.csv",
            "checkpoints",
            "model.keras",
            "metrics.json",
            "predictions.csv",
            "figures",
            "report.html",
            "log.txt",
        }
        assert not [name for name in names if name.startswith(".")], "no temporary file is left"

    def test_metrics(self, tiny_run):
        metrics = json.loads((tiny_run / "metrics.json").read_text())
        expected = {"accuracy", "roc_auc", "f1", "log_loss", "ece", "tpr0", "tpr10"}
        expected |= {"average_precision", "examples"}
        expected |= {f"tpr_at_fpr_1e-{power}" for power in (2, 3, 4)}
        assert set(metrics["validation"]) == expected
        assert set(metrics["test"]) == expected | {"rotation_std", "rotation_flip_rate"}
        assert metrics["test"]["rotation_std"] <= 1e-5
        assert metrics["test"]["rotation_flip_rate"] == 0
        # Twelve test images, six of each class.
        assert metrics["test"]["tpr10"] is None
        needed = {"tpr10": "10"}
        needed |= {f"tpr_at_fpr_1e-{power}": f"{10**power:,}" for power in (2, 3, 4)}
        reasons = {
            key: f'it needs {number} images of "blob", and there are 6'
            for key, number in needed.items()
        }
        assert metrics["undefined"] == {"validation": reasons, "test": reasons}
        low, high = metrics["intervals"]["test"]["log_loss"]
        assert low < metrics["test"]["log_loss"] < high
        assert metrics["timing"]["seconds"] > 0
        assert metrics["timing"]["train_images_per_second"] > 0

    def test_history_has_a_row_an_epoch(self, tiny_run):
        history = rows(tiny_run / "history.csv")
        assert [row["epoch"] for row in history] == ["1", "2"]
        assert {"loss", "accuracy", "auc", "val_loss", "val_accuracy", "val_auc"} <= set(history[0])

    def test_predictions_are_the_models(self, tiny_run):
        """Recomputed from the source files by the documented preprocessing."""
        model = load(tiny_run)
        source = config.load(tiny_run / "experiment.yaml").source_dir
        predictions = rows(tiny_run / "predictions.csv")
        metrics = json.loads((tiny_run / "metrics.json").read_text())
        assert len(predictions) == metrics["test"]["examples"] > 4
        for row in predictions:
            image = np.load(source / f"{row['id']}.npy").astype("float32")
            image = (image - image.min()) / (image.max() - image.min())
            score = model.predict_on_batch(image[None, :, :, None])[0, 0]
            assert float(row["score_ring"]) == pytest.approx(score, abs=1e-5)
            assert float(row["score_blob"]) == pytest.approx(1 - score, abs=1e-5)
            assert row["label"] == row["id"].split("/")[0]
            assert row["predicted"] == ("ring" if score > 0.5 else "blob")

    def test_the_environment_is_recorded(self, tiny_run):
        environment = json.loads((tiny_run / "environment.json").read_text())
        assert environment["seed"] == 0
        assert environment["packages"]["keras"] == keras.__version__


def test_a_run_folder_is_never_overwritten_unasked(tiny_run, image_folder, data_dir, tmp_path):
    before = (tiny_run / "metrics.json").read_bytes()
    with pytest.raises(RunError, match="exists already. Go on with it by --resume") as caught:
        fit(experiment(image_folder, data_dir), tiny_run)
    assert caught.value.exit_code == 2
    assert (tiny_run / "metrics.json").read_bytes() == before
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.tex").write_text("years of work")
    with pytest.raises(RunError, match="is not a run folder, so it is left alone"):
        fit(experiment(image_folder, data_dir), other, overwrite=True)
    assert (other / "chapter.tex").read_text() == "years of work"


def test_a_run_folder_in_use_is_left_alone(tiny_run, image_folder, data_dir, tmp_path):
    """A second fit would wipe the folder that the first one trains into."""
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with RunFolder(run).held("lensnet fit"):
        for how in ({"overwrite": True}, {"resume": True}):
            with pytest.raises(RunError, match=r"is in use by lensnet fit \(.*, process \d+ on "):
                fit(experiment(image_folder, data_dir), run, **how)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


class TestRunCheckpoint:
    def checkpoint(self, run, held):
        made = run_checkpoint.RunCheckpoint(run, None, lambda: None, {"val_loss": "min"}, held)
        made.set_params({"epochs": 2})
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        made.set_model(model)
        return made

    def test_nothing_is_written_into_a_folder_that_was_lost(self, tmp_path):
        run = RunFolder(tmp_path / "run")
        with run.held("lensnet fit") as held:
            checkpoint = self.checkpoint(run, held)
            shutil.rmtree(run.path)
            run.path.mkdir()
            with pytest.raises(RunError, match="no longer holds"):
                checkpoint.on_epoch_end(0, {"loss": 1.0, "val_loss": 1.0})
            assert list(run.path.iterdir()) == []

    def test_without_its_model_training_begins_anew(self, tiny_run, tmp_path):
        """The best weights cannot be had from the checkpoint, which may be of a later epoch."""
        run = RunFolder(Path(shutil.copytree(tiny_run, tmp_path / "run")))
        run.model_file.unlink()
        checkpoint = self.checkpoint(run, None)
        assert not checkpoint.restore(keras.Sequential([keras.Input((1,))]))
        assert checkpoint.next_epoch == 0


@pytest.fixture(scope="module")
def whole(image_folder, data_dir, tmp_path_factory):
    """A run never stopped, of the experiment of `TestResume`."""
    sections = experiment(image_folder, data_dir, **TestResume.SECTIONS)
    return fit(sections, tmp_path_factory.mktemp("whole") / "run").path


class TestResume:
    """A run stopped after any epoch and resumed ends with the weights of one never stopped."""

    SECTIONS: ClassVar = {
        # Each part of the recipe has a state: moments and slow weights, sums of gradients, what
        # the schedule waits for and has lowered, the mean of the weights.
        "training": {
            "epochs": 3,
            "batch_size": 9,
            "optimizer": {"name": "ranger", "weight_decay": 0.01},
            "gradient_accumulation_steps": 2,
            "schedule": {
                "name": "reduce_on_plateau",
                "patience": 1,
                "min_delta": 10,
                "warmup_epochs": 1,
            },
            "weight_averaging": {"name": "ema", "decay": 0.9},
        },
        # Dropout draws random numbers, whose state must be taken up too, and batch normalisation
        # has moving statistics.
        "model": {"head": {"units": [8], "dropout": 0.5}},
        # Of each kind of change, and a sampler that goes through a class across epochs.
        "data": {
            "normalization": {"stretch": "asinh", "scale": "dataset_standard"},
            "balance": "balanced",
            "augmentation": ["flip", {"rotate": {"degrees": 15}}, "noise", "mixup"],
        },
    }

    def test_stopped_when_only_the_measurements_were_left(self, whole, tmp_path):
        """What kills between two files have left out is made again, too.

        Of the experiment that the whole run has written out: it is the same experiment.
        """
        run = Path(shutil.copytree(whole, tmp_path / "run"))
        for name in ("metrics.json", "predictions.csv", "report.html"):
            (run / name).unlink()
        shutil.rmtree(run / "figures")
        made_again = ("lensnet.json", "environment.json", "data.json", "history.csv")
        for name in made_again:
            (run / name).unlink()
        fit(config.load(whole / "experiment.yaml"), run, resume=True)
        assert_same_run(whole, run)
        before = json.loads((whole / "data.json").read_text())
        assert json.loads((run / "data.json").read_text()) == before
        assert all((run / name).is_file() for name in made_again)

    def test_another_experiment_is_refused(self, whole, image_folder, data_dir):
        other = experiment(image_folder, data_dir, **{**self.SECTIONS, "seed": 1})
        with pytest.raises(RunError, match="started with other values of seed;"):
            fit(other, whole, resume=True)

    def test_a_damaged_checkpoint(self, whole, image_folder, data_dir, tmp_path):
        run = tmp_path / "run"
        shutil.copytree(whole, run)
        checkpoint = run / "checkpoints" / "last.npz"
        checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
        same = experiment(image_folder, data_dir, **self.SECTIONS)
        with pytest.raises(RunError, match="last.npz cannot be read"):
            fit(same, run, resume=True)


def test_accumulation_that_does_not_divide_the_epoch(image_folder, data_dir, tmp_path):
    training = {"gradient_accumulation_steps": 3, "batch_size": 9}
    three = experiment(image_folder, data_dir, training=training)
    with pytest.raises(ConfigurationError, match=r"3 does not divide the 4 .* Allowed .*: 1, 2, 4"):
        fit(three, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_early_stopping_keeps_the_best_epoch(image_folder, data_dir, tmp_path):
    """With a learning rate that ruins the network, the first epochs stay the best."""
    ruined = experiment(
        image_folder,
        data_dir,
        training={
            "epochs": 8,
            "optimizer": {"name": "adam", "learning_rate": 0.5},
            "schedule": {"name": "constant"},
            "early_stopping": {"patience": 2},
        },
    )
    run = fit(ruined, tmp_path / "run").path
    history = rows(run / "history.csv")
    best = int(np.argmin([float(row["val_loss"]) for row in history]))
    assert len(history) == min(best + 3, 8)
    metrics = json.loads((run / "metrics.json").read_text())
    expected = float(history[best]["val_accuracy"])
    assert metrics["validation"]["accuracy"] == pytest.approx(expected, abs=1e-6)


def test_a_loss_that_is_not_finite_ends_with_advice(image_folder, data_dir, tmp_path):
    exploding = experiment(
        image_folder,
        data_dir,
        training={
            "optimizer": {"name": "adam", "learning_rate": 1e30},
            "schedule": {"name": "constant"},
        },
    )
    message = r"epoch 1, step 2\. .*non_finite_batch.csv .* Try a lower .*, or .*clip_norm=1\."
    with pytest.raises(LensnetError, match=message):
        fit(exploding, tmp_path / "run")
    listed = rows(tmp_path / "run" / "non_finite_batch.csv")
    data = prepare(exploding)
    assert {row["id"] for row in listed} <= set(data.examples("train").ids)
    assert [row["step"] for row in listed] == ["1"] * 8 + ["2"] * 8
    assert all(row["label"] == row["id"].split("/")[0] for row in listed)


@pytest.mark.parametrize(
    "sections",
    [
        {
            "task": "classification",
            "data": {"balance": "class_weights"},
            "tracking": {"tensorboard": True},
        },
        {
            "data": {"balance": "oversample", "normalization": "dataset_standard"},
            "training": {"precision": "mixed_bfloat16"},
            "model": {"symmetry": "d4"},
        },
        {"model": {"symmetry": "rot4"}, "data": {"image_size": 40}},
    ],
    ids=["class weights", "oversampling and bfloat16", "rot4 and another size"],
)
def test_other_experiments(image_folder, data_dir, tmp_path, sections):
    in_full = {"precision": "float32"}
    base = experiment_on(image_folder, data_dir, training={"epochs": 1}, evaluation=in_full)
    merged = {
        key: {**value, **sections.get(key, {})}
        if isinstance(value, dict)
        else sections.get(key, value)
        for key, value in base.items()
    }
    run = fit(Experiment.model_validate(merged), tmp_path / "run").path
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["rotation_std"] <= 1e-5
    assert (run / "report.html").stat().st_size > 10_000
    assert (run / "tensorboard").is_dir() is ("tracking" in sections)


def test_a_network_that_tells_nothing_apart_is_no_triumph(tiny_run, tmp_path, caplog):
    run = RunFolder(shutil.copytree(tiny_run, tmp_path / "run"))
    model = keras.models.load_model(run.path / "model.keras")
    head = next(layer for layer in reversed(model.layers) if layer.weights)
    head.set_weights([np.zeros_like(head.kernel), *head.get_weights()[1:]])
    model.save(run.path / "model.keras")
    measured = evaluate_run(run)
    assert measured["test"]["rotation_std"] <= 1e-5
    assert any("the network tells none apart" in words for words in measured["warnings"])
    assert all(words in caplog.text for words in measured["warnings"])
    caplog.clear()
    measure_invariance(run, 2)
    assert "the network tells none apart" in caplog.text
    assert "the network tells none apart" not in (tiny_run / "log.txt").read_text()


def test_the_log_is_written(tiny_run):
    assert "Best epoch" in (tiny_run / "log.txt").read_text()
    assert not [h for h in logging.getLogger("lensnet").handlers if hasattr(h, "baseFilename")]


KILLED = """
import json, os, signal, sys
import tiny_backbone
tiny_backbone.register()
from lensnet.config import Experiment
from lensnet.data import prepare
from lensnet.training import fit, run_checkpoint
class DiesInEpoch(run_checkpoint.RunCheckpoint):
    def on_train_batch_end(self, batch, logs=None):
        if (len(self.history), batch) == (1, 2):
            os.kill(os.getpid(), signal.SIGKILL)
import lensnet.training.learning
lensnet.training.learning.RunCheckpoint = DiesInEpoch
fit(Experiment.model_validate(json.loads(sys.argv[1])), sys.argv[2], resume=True)
"""


@pytest.mark.processes
def test_killed_in_the_middle_of_an_epoch(whole, image_folder, data_dir, tmp_path):
    """By the system, in another process: the resumed run still equals the one never stopped."""
    content = experiment_on(image_folder, data_dir, **TestResume.SECTIONS)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps(content), str(tmp_path / "run")],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-3000:]
    assert len(rows(tmp_path / "run" / "history.csv")) == 1
    fit(Experiment.model_validate(content), tmp_path / "run", resume=True)
    assert_same_run(whole, tmp_path / "run")
