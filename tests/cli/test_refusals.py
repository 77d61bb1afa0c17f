"""What is refused in one line, before the work and before TensorFlow is imported."""

import errno
import json
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

import keras
import pytest

from lensnet.cli import main
from lensnet.run_folder import RunFolder

SAVED = Path(__file__).parent.parent / "saved" / "run"


@pytest.fixture
def run(tmp_path):
    """A run folder, of which nothing but the files is needed here."""
    return Path(shutil.copytree(SAVED, tmp_path / "run"))


@pytest.fixture
def experiment(tmp_path):
    path = tmp_path / "simulated.yaml"
    path.write_text(
        "{name: some, task: binary, data: {dataset: lens_finding/simulated}, "
        "model: {backbone: lens_cnn}}"
    )
    return path


@pytest.fixture
def refused(capsys, monkeypatch):
    """Runs a command that must end with exit code 2 and one line, which is returned."""

    def too_late():
        raise AssertionError("TensorFlow is started before the check.")

    monkeypatch.setattr("lensnet.cli.startup.start_tensorflow", too_late)

    def run(*arguments):
        with pytest.raises(SystemExit) as leave:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr().err
        assert leave.value.code == 2, said
        assert len(said.splitlines()) == 1 and said.startswith("Error: "), said
        return said

    return run


def test_what_cannot_be_embedded_or_explained(refused, run, tmp_path, monkeypatch):
    image = tmp_path / "a.npy"
    image.write_bytes(b"")
    output = tmp_path / "features.npz"
    other = tmp_path / "notes.html"
    other.write_text("my notes")
    said = refused("embed", run, image, "-o", tmp_path / "features.csv")
    assert "Name the output features.npz" in said
    said = refused("embed", run, image, "-o", output, "--page", other)
    assert "not a page that lensnet has written" in said
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'lensnet[umap]'" in refused("embed", run, image, "-o", output, "--umap")
    assert "a page is an HTML file" in refused("explain", run, image, "-o", tmp_path / "a.pdf")
    assert not output.exists()


def test_more_folds_than_examples_of_a_class(refused, experiment):
    experiment.write_text(
        experiment.read_text()[:-1]
        + ",\ntraining: {epochs: 1,\nfolds: 5}, tracking: {tensorboard: false}}"
    )
    few = ["--set", "data.options.examples_per_class=4"]
    said = refused("fit", experiment, *few)
    assert f"{experiment}:3: training.folds: 5 folds need as many examples of each class" in said
    assert "has 4 examples. Allowed with these data: 3 to 4." in said


class TestOverwriting:
    """No command with --overwrite removes what lensnet has not written."""

    @pytest.fixture
    def thesis(self, tmp_path):
        (tmp_path / "p").mkdir()
        path = tmp_path / "p" / "thesis.txt"
        path.write_text("three years of work")
        yield path
        assert path.read_text() == "three years of work"

    def test_export(self, refused, run, thesis, tmp_path):
        assert "is not an export" in refused("export", run, "-o", thesis.parent, "--overwrite")
        assert "is a file" in refused("export", run, "-o", thesis, "--overwrite")
        (tmp_path / "link").symlink_to(thesis.parent)
        assert "through a link" in refused("export", run, "-o", tmp_path / "link", "--overwrite")
        assert "exists already" in refused("export", run, "-o", thesis.parent)

    def test_fit(self, refused, experiment, thesis, tmp_path, monkeypatch):
        shutil.copy(experiment, thesis.parent / "experiment.yaml")
        (thesis.parent / "cutouts").mkdir()
        monkeypatch.chdir(thesis.parent)
        for how in ([], ["--overwrite"], ["--resume"]):
            said = refused("fit", "experiment.yaml", "--run-dir", ".", *how)
            assert "--overwrite" not in said
        (tmp_path / "link").symlink_to(thesis.parent)
        refused("fit", "experiment.yaml", "--run-dir", tmp_path / "link", "--overwrite")
        refused("fit", "experiment.yaml", "--run-dir", thesis, "--overwrite")
        assert (thesis.parent / "experiment.yaml").is_file()

    def test_fit_of_several(self, refused, experiment, run, thesis, tmp_path):
        several = ["--set", "training.seeds=[0, 1]"]
        assert "holds a single run" in refused("fit", experiment, "--run-dir", run, *several)
        for how in ([], ["--overwrite"], ["--resume"]):
            refused("fit", experiment, "--run-dir", thesis.parent, *several, *how)
            assert not (tmp_path / "runs").exists()

    def test_find_learning_rate(self, refused, experiment, run, thesis):
        for folder in (run, thesis.parent):
            for how in ([], ["--overwrite"]):
                said = refused("fit", experiment, "--find-learning-rate", "--run-dir", folder, *how)
                assert "is not a learning-rate test" in said

    @pytest.mark.parametrize("index", [0, 1])
    def test_fit_by_workers(self, refused, experiment, thesis, monkeypatch, index):
        """None waits for one that was refused."""
        cluster = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}
        task = {"type": "worker", "index": index}
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
        refused(
            "fit", experiment, "--run-dir", thesis.parent,
            "--set", "training.strategy=multi_worker",
        )  # fmt: skip

    def test_tables_and_pages(self, refused, run, experiment, thesis):
        table = thesis.with_name("appendix.csv")
        table.write_text("redshift,year\n0.5,3\n")
        said = refused("predict", run, "x.npy", "-o", table, "--overwrite")
        assert "is not a table" in said and table.read_text() == "redshift,year\n0.5,3\n"
        assert "does not end with .csv" in refused("predict", run, "x.npy", "-o", thesis)
        assert "is not a page" in refused("explore", experiment, "-o", thesis)
        (run / "report.html").write_text("three years of work")
        for command in ("report", "evaluate", "invariance", "explain"):
            assert "is not a page" in refused(command, run)

    def test_the_work_folder_of_a_table(self, refused, run, tmp_path):
        beside = tmp_path / "scores.csv.parts"
        beside.mkdir()
        (beside / "thesis.tex").write_text("three years of work")
        said = refused("predict", run, "x.npy", "-o", tmp_path / "scores.csv", "--overwrite")
        assert "is not a work folder" in said
        assert (beside / "thesis.tex").read_text() == "three years of work"


class TestReadOnlyPlaces:
    """As on a read-only file system, of which permissions say nothing, least of all to root."""

    @pytest.fixture
    def read_only(self, monkeypatch):
        def refuse(*arguments, **options):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        monkeypatch.setattr(tempfile, "mkstemp", refuse)
        monkeypatch.setattr(tempfile, "mkdtemp", refuse)

    @pytest.mark.parametrize("command", ["evaluate", "invariance", "report", "export"])
    def test_run_folders(self, refused, run, read_only, command):
        assert "Read-only file system" in refused(command, run)

    def test_scores(self, refused, run, tmp_path, read_only):
        said = refused("predict", run, "x.npy", "-o", tmp_path / "scores.csv")
        assert "Read-only file system" in said and "-o" in said

    @pytest.mark.parametrize("place", ["/proc/none", "{file}/below"])
    def test_places_that_cannot_be_made(self, refused, run, experiment, tmp_path, place):
        (tmp_path / "file").write_text("")
        place = Path(place.format(file=tmp_path / "file"))
        assert "Nothing can be written" in refused("fit", experiment, "--run-dir", place)
        assert "Nothing can be written" in refused("export", run, "-o", place / "export")
        assert "Nothing can be written" in refused("explore", experiment, "-o", place / "page")

    @pytest.mark.parametrize("command", ["fit", "explore", "prepare"])
    def test_a_home_that_cannot_be_made(self, refused, experiment, monkeypatch, command, tmp_path):
        monkeypatch.delenv("LENSNET_DATA_DIR", raising=False)
        monkeypatch.setenv("HOME", "/proc/none")
        monkeypatch.chdir(tmp_path)
        assert "$LENSNET_DATA_DIR" in refused(command, experiment)


BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
)


class TestDamagedRuns:
    """Run folders come from others: a damaged one is refused, and nothing outside it is read."""

    COMMANDS = ("predict", "evaluate", "invariance", "export", "report")

    def each(self, refused, run, commands=COMMANDS):
        for command in commands:
            more = ["x.npy", "-o", run.parent / "scores.csv"] if command == "predict" else []
            said = refused(command, run, *more)
            assert len(said) < 600
        return said

    @pytest.mark.parametrize(
        "content",
        ["{}", "[]", "null", "3", "{", "", "[" * 100_000, '{"classes": 3}', "\xff", " " * 2**25],
        ids=lambda text: text[:16] or "empty",
    )
    def test_data(self, refused, run, content):
        (run / "data.json").write_text(content, encoding="latin-1")
        assert "data.json is damaged" in self.each(refused, run)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("null", "[1, 2]"),
            ('"per_image_min_max"', '"dataset_standard"'),
            ('"per_image_min_max"', '{"stretch": {}}'),
            ("32", "-32"),
            ("32", "1e400"),
            ('"blob"', "{}"),
            ('"classes"', '"records": "../../etc/x", "classes"'),
            ('"classes"', '"records": "/etc/x/y", "classes"'),
            ('"image_size": null', '"image_size": 99999'),
            ('"repeat_channels": null', '"repeat_channels": null, "crop": 31'),
        ],
    )
    def test_values_of_data(self, refused, run, old, new):
        text = (run / "data.json").read_text()
        assert old in text
        (run / "data.json").write_text(text.replace(old, new))
        assert "data.json is damaged" in self.each(refused, run)

    @pytest.mark.parametrize(
        "content",
        [
            "name: &a [*a]",
            "[" * 100_000,
            BOMB,
            "[]",
            "",
            "a: !!python/name:os.system",
            "? [a]\n: b",
        ],
        ids=["alias of itself", "brackets", "bomb", "list", "empty", "code", "key"],
    )
    def test_experiment(self, refused, run, content):
        (run / "experiment.yaml").write_text(content)
        self.each(refused, run)
        refused("fit", "--resume", "--run-dir", run)

    def test_wrong_types_in_the_experiment(self, refused, run):
        text = (run / "experiment.yaml").read_text()
        (run / "experiment.yaml").write_text(text.replace("seed: 0", "seed: [x]"))
        self.each(refused, run, self.COMMANDS[:-1])

    @pytest.mark.parametrize("content", ["", "epoch,seconds\n1\n", "epoch,seconds\n1,x\n", "\0"])
    def test_history(self, refused, run, content):
        (run / "history.csv").write_text(content)
        assert "history.csv is damaged" in refused("evaluate", run)
        (run / "history.csv").unlink()
        assert "no history.csv" in refused("evaluate", run)

    def test_pipes_and_links(self, refused, run, tmp_path):
        (run / "quarantine.csv").unlink()
        (tmp_path / "secret").write_text("file,reason\nsecret,secret\n")
        (run / "quarantine.csv").symlink_to(tmp_path / "secret")
        assert "leads out of the run folder" in self.each(refused, run)
        (run / "quarantine.csv").unlink()
        os.mkfifo(run / "quarantine.csv")
        assert "is not a file" in self.each(refused, run)

    def test_a_model_that_runs_code(self, refused, run):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)])
        model.save(run / "model.keras")
        assert "a Lambda layer" in self.each(refused, run, self.COMMANDS[:-1])

    @pytest.mark.parametrize("config", [b"[" * 100_000, b"{", b"", b" " * 2**27])
    def test_a_model_that_is_damaged(self, refused, run, config):
        with zipfile.ZipFile(run / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", config)
        assert "holds no model" in self.each(refused, run, self.COMMANDS[:-1])


@pytest.mark.parametrize("command", ["evaluate", "invariance"])
def test_a_run_that_is_trained_is_not_written_into(refused, run, command):
    with RunFolder(run).held("lensnet fit"):
        assert "is in use by lensnet fit" in refused(command, run)
