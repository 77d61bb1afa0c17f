"""A round is planned and written without a framework, and its experiment can be trained."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from mosaic_files import write_mosaic

from lensnet import config
from lensnet.csv_tables import writing_table
from lensnet.datasets.graded.candidate_splits import split_of
from lensnet.datasets.graded.candidate_table import read_candidates
from lensnet.errors import ConfigurationError, DataError, RunError
from lensnet.learning.learning import plan_round, write_round
from lensnet.learning.request import Request, next_run_dir
from lensnet.run_folder import RunFolder

TOP, CONTROL = range(76, -1, -4), [number for number in range(1, 80, 7) if number % 4]
"""All rings, which have the highest scores, and a sample of the rest."""


@pytest.fixture
def ask(run, survey, write_grades):
    """Returns a request to learn from grades; keywords replace its parts."""

    def make(numbers=(*TOP, *CONTROL), **more):
        given = {"run": run, "grades": [write_grades(numbers)], "scores": survey / "scores.csv"}
        return Request(**{**given, **more})

    return make


def test_candidates_get_their_class_split_and_weight(ask, survey):
    request = ask()
    found = plan_round(request)
    path = write_round(found)
    candidates = {one.id: one for one in read_candidates(path.parent / "candidates.csv")}
    assert path.parent == request.run.with_name("rings-2.candidates") == request.candidates_dir
    assert candidates.keys() == {f"J{n:03d}" for n in (*TOP, *CONTROL)}
    weights = []
    for number in (*TOP, *CONTROL):
        one = candidates[f"J{number:03d}"]
        assert one.label == ("blob" if number % 4 else "ring")
        assert one.split == split_of(one.id)
        assert one.origin == str(survey / f"J{number:03d}.npy")
        assert one.score == pytest.approx(0.9 * (number % 4 == 0) + 0.001 * number, abs=1e-4)
        image = np.load(path.parent / one.files[0])
        np.testing.assert_array_equal(image[..., 0], np.load(one.origin))
        weights.append(one.weight)
    assert np.mean(weights) == pytest.approx(1, rel=1e-4)
    top, rest = np.median(weights[: len(TOP)]), np.median(weights[len(TOP) :])
    assert rest / top == pytest.approx(60 / len(CONTROL), rel=0.25)
    assert found.selection is not None and "80 scored objects" in found.selection.words


def test_the_experiment_goes_on_from_the_run(ask, run, tmp_path):
    (tmp_path / "folder" / "ring").mkdir(parents=True)
    (tmp_path / "folder" / "blob").mkdir()
    text = write_round(plan_round(ask(held_out=0.4))).read_text()
    assert "base: ../rings/experiment.yaml" in text
    experiment = config.load(
        run.with_name("rings-2.candidates") / "experiment.yaml", ["training.epochs=2"]
    )
    assert (experiment.name, experiment.data.dataset) == ("rings-2", "graded")
    base = experiment.dataset_options.base
    assert base.model_dump(exclude={"options", "splits"}) == {
        "dataset": "image_folder",
        "source_dir": str(tmp_path / "folder"),
        "seed": 4,
        "stratify": False,
        "folds": None,
        "fold": None,
    }
    assert base.splits.train == 0.6 and experiment.dataset_options.held_out == 0.4
    assert experiment.data.example_weights == "weight"
    assert experiment.model.weights == str(run / "model.keras")
    assert experiment.model.backbone == "resnet18"
    assert experiment.training.optimizer.learning_rate == pytest.approx(3e-4)
    assert experiment.training.schedule.warmup_epochs == 0
    assert experiment.training.epochs == 2 and "epochs: 3" in text


def test_a_second_round_keeps_the_first_ones_candidates(ask, run, tmp_path, survey):
    """The next run is trained on graded data: its candidates stay, at the weights of now."""
    (tmp_path / "folder" / "ring").mkdir(parents=True)
    (tmp_path / "folder" / "blob").mkdir()
    first = write_round(plan_round(ask(numbers=TOP)))
    second = run.with_name("rings-2")
    second.mkdir()
    for name in ("data.json", "model.keras"):
        (second / name).write_bytes((run / name).read_bytes())
    RunFolder(second).write_experiment(config.load(first).resolved())
    request = ask(numbers=[TOP[0], *CONTROL], run=second)
    found = plan_round(request)
    path = write_round(found)
    assert path.parent.name == "rings-3.candidates"
    candidates = {one.id: one for one in read_candidates(path.parent / "candidates.csv")}
    assert candidates.keys() == {f"J{n:03d}" for n in (*TOP, *CONTROL)}
    assert all((path.parent / one.files[0]).is_file() for one in candidates.values())
    top = [candidates[f"J{n:03d}"].weight for n in TOP]
    rest = [candidates[f"J{n:03d}"].weight for n in CONTROL]
    assert np.median(rest) / np.median(top) == pytest.approx(60 / len(CONTROL), rel=0.25)
    again = config.load(path)
    before = config.load(first)
    assert again.dataset_options.base == before.dataset_options.base
    assert again.training.epochs == before.training.epochs
    assert again.training.optimizer == before.training.optimizer


def test_a_share_of_the_loss(ask):
    found = plan_round(ask(weigh="equal", share=0.25))
    trained = sum(weight for id_, weight in found.weights.items() if split_of(id_) == "train")
    assert trained / (trained + 36) == pytest.approx(0.25)
    assert found.selection is None


def test_nothing_is_written_over(ask):
    request = ask()
    path = write_round(plan_round(request))
    with pytest.raises(RunError, match="exists already"):
        write_round(plan_round(request))
    (path.parent / "mine.txt").write_text("")
    with pytest.raises(RunError, match="mine.txt, which lensnet has not written"):
        write_round(plan_round(request), overwrite=True)
    (path.parent / "mine.txt").unlink()
    assert write_round(plan_round(request), overwrite=True) == path


def test_a_missing_image_is_one_line(ask, survey):
    (survey / "J004.npy").unlink()
    with pytest.raises(DataError, match="The images of 1 of 29 candidates are not there") as caught:
        plan_round(ask())
    assert "J004.npy of J004" in str(caught.value) and "\n" not in str(caught.value)


def test_an_image_of_another_shape_is_one_line_and_leaves_nothing(ask, survey):
    np.save(survey / "J004.npy", np.random.default_rng(0).random((31, 32)))
    request = ask()
    with pytest.raises(DataError, match=r"shape \(31, 32, 1\), and those of the run have"):
        write_round(plan_round(request))
    assert not request.candidates_dir.exists()


def test_grades_without_scores_need_to_name_the_images(ask, survey, tmp_path):
    with pytest.raises(DataError, match="name the table of scores that was graded by --scores"):
        plan_round(ask(scores=None))
    with writing_table(tmp_path / "merged.csv", ["id", "grade", "file"]) as table:
        table.rows([f"J{n:03d}", "AX"[n % 4 > 0], str(survey / f"J{n:03d}.npy")] for n in range(8))
    found = plan_round(ask(scores=None, grades=[tmp_path / "merged.csv"]))
    assert len(found.chosen) == 8 and set(found.weights.values()) == {1.0}


def test_positions_are_cut_out_of_mosaics_once(ask, tmp_path, write_grades):
    wcs = write_mosaic(tmp_path / "tile_r.fits", 150.0, 2.0, side=80)
    pixels = fits.getdata(tmp_path / "tile_r.fits")
    places = {"J000": (40, 40), "J001": (30, 45)}
    with writing_table(
        tmp_path / "cut.csv", ["id", "file", "tile", "ra", "dec", "score_ring"]
    ) as table:
        for name, (x, y) in places.items():
            # Off the middle of a pixel, where an even side has no middle pixel to round to.
            ra, dec = (float(value) for value in wcs.wcs_pix2world(x - 0.3, y - 0.3, 0))
            table.row([name, "", "tile_r", f"{ra:.9f}", f"{dec:.9f}", "0.5"])
    request = ask(numbers=[0, 1], scores=tmp_path / "cut.csv")
    with pytest.raises(DataError, match="was cut out of tile_r. Name the mosaics .* --mosaics"):
        plan_round(request)
    asked = replace(request, mosaics=(str(tmp_path / "tile_{band}.fits"),), bands=("r",))
    path = write_round(plan_round(asked))
    for one in read_candidates(path.parent / "candidates.csv"):
        x, y = places[one.id]
        image = np.load(path.parent / one.files[0])
        assert image.shape == (32, 32, 1) and one.origin == "tile_r"
        np.testing.assert_array_equal(image[..., 0], pixels[y - 16 : y + 16, x - 16 : x + 16])


def test_a_table_that_is_not_of_the_runs_scores(ask, tmp_path):
    with writing_table(tmp_path / "other.csv", ["id", "score_arc"]) as table:
        table.row(["J000", "0.5"])
    with pytest.raises(DataError, match="has no column score_ring"):
        plan_round(ask(scores=tmp_path / "other.csv"))


def test_ids_that_stand_twice_in_the_scores_are_said(ask, survey):
    lines = (survey / "scores.csv").read_text().splitlines()
    (survey / "scores.csv").write_text("\n".join([*lines, lines[1]]) + "\n")
    remarks = " ".join(plan_round(ask()).remarks)
    assert "1 graded ids stand more than once" in remarks and "J000" in remarks


def test_the_classes_must_be_the_runs(ask):
    with pytest.raises(ConfigurationError, match='no class "rings". Did you mean "ring"'):
        plan_round(ask(lens_class="rings"))
    with pytest.raises(ConfigurationError, match="cannot be both"):
        plan_round(ask(other_class="ring"))
    found = plan_round(ask(lens_class="blob", other_class="ring"))
    assert next(one for one in found.chosen if one.id == "J004").label == "blob"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed: 4", "seed: 4\n  example_weights: flux", "weighs its images"),
        (
            "{train: 0.6, validation: 0.2, test: 0.2}",
            '{train: "train[:50%]", validation: validation, test: test}',
            "slices",
        ),
    ],
)
def test_data_that_cannot_be_added_to_are_refused(ask, run, old, new, words):
    path = run / "experiment.yaml"
    path.write_text(path.read_text().replace(old, new))
    request = ask()
    with pytest.raises(ConfigurationError, match=words):
        plan_round(request)


def test_the_table_of_candidates_is_read_by_others(ask):
    path = write_round(plan_round(ask())).parent / "candidates.csv"
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["grades"] == "grades.csv" and rows[0]["grade"] == "A"


def test_the_next_run_has_the_next_number(tmp_path):
    names = [next_run_dir(tmp_path / name).name for name in ("a", "a-2", "a-2.candidates", "c4-9")]
    assert names == ["a-2", "a-3", "a-2.candidates-2", "c4-10"]
