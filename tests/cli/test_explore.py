"""`lensnet explore` as its users meet it."""

import numpy as np
import pytest
from lens_images import experiment_on

from lensnet.cli import main
from lensnet.config.documents import dump


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
def experiment(image_folder, data_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.yaml"
    path.write_text(dump(experiment_on(image_folder, data_dir)))
    return path


def test_explore(lensnet, experiment, tmp_path):
    code, out, err = lensnet("explore", experiment)
    assert code == 0, err
    for part in ("Counts", "Pixel values", "Bad files", "Duplicates", "Metadata", "Fingerprint"):
        assert part in out
    assert "Images:       60 of 32 x 32 pixels, 1 channel" in out
    assert "Page: explore-tiny.html" in out
    page = (tmp_path / "explore-tiny.html").read_text()
    assert "Looking at images: 60" in err, "progress is on standard error"
    code, out, _ = lensnet("explore", experiment, "--samples", "2", "-o", "explore-tiny.html")
    again = (tmp_path / "explore-tiny.html").read_text()
    assert code == 0 and "DOCTYPE" in again and again != page, "replaced"


def test_duplicates_across_splits_are_a_warning(lensnet, experiment, image_folder, tmp_path):
    image = np.load(image_folder / "ring" / "0.npy")
    folder = tmp_path / "images"
    for name in ("ring", "blob"):
        (folder / name).mkdir(parents=True)
        for index in range(12):
            copied = np.load(image_folder / name / f"{index}.npy")
            # Twelve rotated copies cannot all be in one split.
            np.save(folder / name / f"{index}.npy", np.rot90(image) if name == "ring" else copied)
    code, out, _ = lensnet("explore", experiment, "--set", f"data.source_dir={folder}")
    assert code == 0
    assert "12 images that are in truth 1 stand in more than one split" in out
    assert "and 1 more" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.yaml"], "There is no experiment file none.yaml"),
        (["tiny.yaml", "--samples", "-1"], "-1 is not in the range"),
        (["tiny.yaml", "--set", "data.sede=1"], 'Did you mean "seed"'),
    ],
)
def test_wrong_usage_is_exit_code_2(lensnet, experiment, arguments, message):
    code, _, err = lensnet("explore", *arguments)
    assert code == 2
    assert message in err and "Traceback" not in err


def test_missing_data_is_exit_code_3(lensnet, experiment):
    code, _, err = lensnet("explore", experiment, "--set", "data.source_dir=/no/such/place")
    assert code == 3 and "/no/such/place does not exist" in err
