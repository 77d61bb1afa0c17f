"""The command line as its users meet it: what it prints, and its exit codes."""

import csv
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lens_images import experiment_on

from lensnet import config
from lensnet.cli import main
from lensnet.config.documents import dump
from lensnet.data import prepare


@pytest.fixture
def lensnet(capsys):
    """Runs the command in this process: (exit code, standard output, standard error)."""

    def run(*arguments):
        try:
            main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as leave:
            code = leave.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def experiment(image_folder, data_dir, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(dump(experiment_on(image_folder, data_dir)))
    return path


COMMANDS = "fit evaluate invariance predict export benchmark ensemble search report compare".split()
COMMANDS += "prepare explore models datasets".split()


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_teaches(lensnet, flag):
    code, out, _ = lensnet(flag)
    assert code == 0
    assert [name for name in COMMANDS if f"  {name} " not in out] == []
    assert "Exit codes" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(lensnet, command):
    code, out, _ = lensnet(command, "--help")
    assert code == 0 and f"Usage: lensnet {command}" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ftt", "x.yaml"], 'There is no command "ftt". Did you mean "fit"?'),
        (["fit"], "Name an EXPERIMENT file"),
        (["fit", "none.yaml"], "There is no experiment file none.yaml"),
        (["fit", "x.yaml", "--resume", "--overwrite"], "choose one"),
        (["fit", "x.yaml", "--epochs", "3"], "No such option"),
        (["evaluate", "none"], "There is no run folder none"),
        (["predict", "none", "x.npy", "-o", "y.csv"], "There is no run folder none"),
        (["predict", "none", "x.npy"], "Missing option '-o'"),
        (["export", "none", "--format", "saved"], "'saved' is not one of 'saved_model'"),
        (["invariance", "none", "--rotations", "1"], "1 is not in the range"),
        (["models", "resnet81"], 'Did you mean "resnet18"?'),
        (["datasets", "lens_finding/simulate"], 'Did you mean "lens_finding/simulated"?'),
    ],
)
def test_wrong_usage_is_one_message_and_exit_code_2(lensnet, arguments, message):
    code, _, err = lensnet(*arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_a_wrong_key_names_file_line_and_nearest(lensnet, experiment):
    experiment.write_text(experiment.read_text().replace("epochs:", "epoch:"))
    code, _, err = lensnet("fit", experiment)
    line = 1 + experiment.read_text().splitlines().index("  epoch: 2")
    assert code == 2
    assert f'{experiment}:{line}: training.epoch: unknown key. Did you mean "epochs"?' in err


def test_bad_data_is_exit_code_3(lensnet, experiment):
    code, _, err = lensnet("fit", experiment, "--set", "data.source_dir=/no/such/place")
    assert code == 3
    assert "/no/such/place does not exist" in err


def test_print_schema(lensnet):
    code, out, _ = lensnet("fit", "--print-schema")
    assert code == 0
    assert json.loads(out)["title"] == "Experiment"


def test_models_and_datasets(lensnet):
    _, out, _ = lensnet("models", "res*")
    assert "resnet50" in out and "lens_cnn" not in out
    _, out, _ = lensnet("datasets", "image_folder")
    assert "options.bands" in out and "Default" in out


@pytest.mark.processes
def test_the_whole_round(lensnet, experiment, image_folder, tmp_path):
    """fit, with a few images that are bad, then what can be done with its run folder.

    The other commands are tested on a run that has been moved.
    """
    run, folder = tmp_path / "run", tmp_path / "bad"
    shutil.copytree(image_folder, folder)
    bad = np.full((32, 32), np.nan, "float32")
    for index in range(5):
        np.save(folder / "ring" / f"{index}.npy", bad)
    settings = ["--set", f"data.source_dir={folder}", "--set", "training.epochs=1"]
    code, _, err = lensnet("fit", experiment, "--run-dir", run, *settings)
    assert code == 3
    assert "data.options.max_bad" in err and "ring/0" in err
    settings += ["--set", "data.options.max_bad=0.2"]
    code, out, err = lensnet("fit", experiment, "--run-dir", run, *settings)
    assert code == 0, err
    assert "5 bad files" in err
    assert (run / "quarantine.csv").read_text().count("ring/") == 5
    assert "roc_auc" in out and "Scores move by" in out and f"Report: {run}/report.html" in out
    assert "Epoch 1/1" in err, "progress is on standard error"

    code, _, err = lensnet("fit", experiment, "--run-dir", run, *settings)
    assert code == 2 and "exists already" in err

    code, out, _ = lensnet("invariance", run, "--rotations", "6")
    assert code == 0
    assert "60" in out and "rotation_std" in out
    assert (run / "figures" / "rotation_profile_6.png").is_file()

    code, _, err = lensnet("fit", "--resume", "--run-dir", run)
    assert code == 0, "a finished run has nothing left to do but to be measured"

    # In a process of its own, where nothing has registered our layers yet.
    again = tmp_path / "again.csv"
    code = "import tiny_backbone; tiny_backbone.register(); from lensnet.cli import main; main()"
    command = [sys.executable, "-c", code, "predict", run, image_folder / "ring", "-o", again]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    with again.open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 30


def test_prepare(lensnet, experiment):
    code, out, _ = lensnet("prepare", experiment)
    assert code == 0
    assert "ring" in out and "Images: 32 x 32 pixels, 1 channel(s)" in out


@pytest.fixture
def _files_of_100_kilobytes():
    """The system refuses to write more into any one file."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_leaves_nothing_that_looks_whole(lensnet, experiment, tmp_path, request):
    prepare(config.load(experiment))
    run = tmp_path / "run"
    settings = ["--set", "model.width=1.0", "--set", "model.symmetry=none"]
    request.getfixturevalue("_files_of_100_kilobytes")
    code, _, err = lensnet("fit", experiment, "--run-dir", run, *settings)
    assert code == 1, err
    assert "The disk is full" in err
    assert not (run / "model.keras").exists()
    assert not list(run.rglob(".*")), "no temporary file is left"


def test_python_m_lensnet():
    done = subprocess.run(
        [sys.executable, "-m", "lensnet", "--version"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and done.stdout.startswith("lensnet ")


def test_the_quickstart_is_a_valid_experiment():
    root = Path(__file__).parent.parent.parent
    for path in sorted((root / "experiments").glob("*.yaml")):
        assert config.load(path).name


def test_what_only_the_data_can_tell_has_its_line_too(lensnet, experiment, tmp_path):
    """Of 36 images in batches of eight, three batches a step do not make whole epochs."""
    text = experiment.read_text().replace(
        "  batch_size: 8\n", "  batch_size: 8\n  gradient_accumulation_steps: 3\n"
    )
    experiment.write_text(text)
    line = text[: text.index("gradient_acc")].count("\n") + 1
    run = ("--run-dir", tmp_path / "run")
    code, _, err = lensnet("fit", experiment, *run)
    assert code == 2
    key = "training.gradient_accumulation_steps"
    assert f"{experiment}:{line}: {key}: 3 does not divide the 5 batches" in err
    code, _, err = lensnet("fit", experiment, *run, "--set", f"{key}=4")
    assert code == 2 and f"--set {key}=4: {key}: 4 does not divide" in err
    assert not (tmp_path / "run").exists()
