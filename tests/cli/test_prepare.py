"""`lensnet prepare` says what it has prepared, and what else lies there."""

import sys
from pathlib import Path

import pattern_dataset
import pytest
from lens_images import experiment_on

from lensnet.cli import main
from lensnet.config.documents import dump


@pytest.fixture
def prepare(image_folder, tmp_path, capsys):
    """Runs the command: (exit code, standard output, standard error)."""
    path = tmp_path / "tiny.yaml"
    path.write_text(dump(experiment_on(image_folder, tmp_path / "prepared")))

    def run(*arguments):
        try:
            main(["prepare", str(path), *arguments])
            code = 0
        except SystemExit as leave:
            code = leave.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_other_preparations_are_said_and_kept(prepare, tmp_path):
    code, out, _ = prepare()
    assert code == 0 and "Bad files: 0" in out and "Beside them" not in out
    code, out, _ = prepare("--set", "data.seed=3")
    assert code == 0 and "Beside them: 1 of other files, options or splits, 0.3 MB." in out
    assert str(tmp_path / "prepared" / "image_folder") in out
    assert len(list((tmp_path / "prepared" / "image_folder").glob("files-*"))) == 2


FRESH = """\
name: fresh
task: classification
data:
  dataset: pattern_dataset/classes
  fresh: true
model: {backbone: tiny}
training: {batch_size: 8, steps_per_epoch: 100}
"""


def test_of_fresh_images_a_sample_is_prepared(tmp_path, monkeypatch, capsys):
    pattern_dataset.register()
    monkeypatch.setenv("LENSNET_DATA_DIR", str(tmp_path / "prepared"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "fresh.yaml"
    path.write_text(FRESH)
    main(["prepare", str(path)])
    out = capsys.readouterr().out
    assert "train (sample)  validation  test" in out
    assert "Training: 800 new images every epoch, simulated while the network trains" in out
    main(["explore", str(path)])
    out = capsys.readouterr().out
    assert "800 new ones every epoch; here a sample of their kind" in out
    assert "train (sample)" in out and "train (sample)" in Path("explore-fresh.html").read_text()


def test_beam_that_is_not_installed(prepare, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    for flags in (["--beam"], ["--beam-option", "runner=FlinkRunner"]):
        code, _, err = prepare(*flags)
        assert code == 2 and "pip install 'lensnet[beam]'" in err


@pytest.mark.parametrize("flags", [["--beam"], ["--beam-option", "runner=DirectRunner"]], ids=str)
def test_beam(prepare, tmp_path, flags):
    pytest.importorskip("apache_beam")
    code, out, err = prepare(*flags)
    assert code == 0, err
    assert "Images: 32 x 32 pixels" in out
    assert len(list((tmp_path / "prepared").rglob("*.tfrecord*"))) == 3
