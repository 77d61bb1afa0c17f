import csv
import json
import logging
import shutil
from pathlib import Path

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
from lensnet.training import fit


def experiment(image_folder, data_dir, **sections):
    return Experiment.model_validate(experiment_on(image_folder, data_dir, **sections))


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


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
        assert "tensorboard" not in names

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


def test_accumulation_that_does_not_divide_the_epoch(image_folder, data_dir, tmp_path):
    training = {"gradient_accumulation_steps": 3, "batch_size": 9}
    three = experiment(image_folder, data_dir, training=training)
    with pytest.raises(ConfigurationError, match=r"3 does not divide the 4 .* Allowed .*: 1, 2, 4"):
        fit(three, tmp_path / "run")
    assert not (tmp_path / "run").exists()


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


def test_another_experiment(image_folder, data_dir, tmp_path):
    """Class weights, another size and bfloat16, of what the session's run does otherwise."""
    content = experiment_on(
        image_folder,
        data_dir,
        task="classification",
        data={"balance": "class_weights", "normalization": "dataset_standard", "image_size": 40},
        training={"epochs": 1, "precision": "mixed_bfloat16"},
        model={"symmetry": "rot4"},
        evaluation={"precision": "float32"},
        tracking={"tensorboard": True},
    )
    run = fit(Experiment.model_validate(content), tmp_path / "run").path
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["rotation_std"] <= 1e-5
    assert (run / "report.html").stat().st_size > 10_000
    assert (run / "tensorboard").is_dir()


@pytest.mark.slow
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
