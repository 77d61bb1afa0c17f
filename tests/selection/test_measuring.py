"""The selection function of a scorer whose answers are known, and of a real run."""

import csv
import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
from click.testing import CliRunner

from lensnet.cli.main import cli
from lensnet.config.loading import read_document
from lensnet.datasets.image_folder.folders import folder_source
from lensnet.datasets.image_folder.options import Options
from lensnet.errors import DataError, RunError
from lensnet.evaluation.bootstrap import exact_interval
from lensnet.selection.arcs import ArcRanges
from lensnet.selection.completeness import completeness_by, quantiles_passed
from lensnet.selection.folder import check_folder, make_folder
from lensnet.selection.measuring import Request, measure_selection
from lensnet.selection.page import draw_selection, write_selection_page
from lensnet.selection.painting import Photometry
from lensnet.selection.point_spread import gaussian_kernel

SCALE = 0.2
PHOTOMETRY = Photometry.of_bands(1, SCALE, (25.0,), (100.0,), (gaussian_kernel(3.5),))


@dataclass(frozen=True)
class BrightnessScorer:
    """Finds what is bright: a score that grows with the sum of the pixels."""

    native_shape: tuple = (40, 40, 1)
    classes: tuple = ("galaxy", "lens")

    def scores(self, images):
        """(N, 2)."""
        bright = 1 - np.exp(-np.maximum(images.sum(axis=(1, 2, 3)), 0) / 400)
        return np.stack([1 - bright, bright], axis=1)


def write_galaxies(folder, number, size=40):
    rng = np.random.default_rng(0)
    folder.mkdir()
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    for place in range(number):
        light = np.exp(-np.hypot(rows, columns) / 3)
        image = light + rng.normal(0, 0.02, (size, size))
        np.save(folder / f"galaxy{place:02d}.npy", image.astype(np.float32))
    return folder


def rows_of(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_a_scorer_that_finds_what_is_bright(tmp_path):
    galaxies = write_galaxies(tmp_path / "galaxies", 30)
    np.save(galaxies / "nothing.npy", np.full((40, 40), np.nan, np.float32))
    np.save(galaxies / "small.npy", np.eye(20, dtype=np.float32))
    (folder := tmp_path / "found").mkdir()
    ranges = ArcRanges((0.8, 1.5), (19.0, 23.0))
    request = Request([galaxies], PHOTOMETRY, ranges, threshold=0.5, arcs=2, seed=1)
    measured = measure_selection(BrightnessScorer(), request, folder)

    arcs = rows_of(folder / "arcs.csv")
    assert len(arcs) == len(measured.scores) == 60
    for row in arcs:
        # What the scorer sees is the light of galaxy and arc.
        added = math.log((1 - float(row["galaxy_score"])) / (1 - float(row["score"]))) * 400
        flux = 10 ** (-0.4 * (float(row["arc_magnitude"]) - 25))
        assert added == pytest.approx(flux, rel=0.15, abs=4)
    # So the bright half is found and the faint half is not.
    found = [
        row for row in rows_of(folder / "completeness.csv") if row["quantity"] == "arc_magnitude"
    ]
    shares = [float(row["completeness"]) for row in found if row["completeness"]]
    assert shares[0] == 1 and shares[-1] == 0 and shares == sorted(shares, reverse=True)
    assert sum(int(row["arcs"]) for row in found) == 60
    one = found[0]
    assert [float(one["completeness_low"]), float(one["completeness_high"])] == pytest.approx(
        exact_interval(int(one["found"]), int(one["arcs"]))
    )
    left_out = {
        row["file"].rsplit("/")[-1]: row["reason"] for row in rows_of(folder / "left_out.csv")
    }
    assert set(left_out) == {"nothing.npy", "small.npy"} and "shape" in left_out["small.npy"]

    drawn = draw_selection(measured)
    page = write_selection_page(measured, folder / "report.html", "<b>run</b>", drawn).read_text()
    assert (
        "small.npy" in page and "<b>run</b>" not in page and "http" not in page.split("<body>")[1]
    )


def test_the_test_set_is_one_that_image_folder_reads_split_by_galaxy(tmp_path):
    galaxies = write_galaxies(tmp_path / "galaxies", 20)
    (folder := tmp_path / "found").mkdir()
    request = Request([galaxies], PHOTOMETRY, ArcRanges((0.8, 1.5)), arcs=2)
    measure_selection(BrightnessScorer(), request, folder)
    content = read_document(folder / "data.yaml").content
    source = folder_source(folder / "images", Options(**content["data"]["options"]))
    assert source.classes == ("galaxy", "lens")
    examples = source.list().examples
    assert len(examples) == 40
    splits = {}
    for example in examples:
        splits.setdefault(example.id.rsplit("/")[-1], []).append((example.label, example.split))
    assert len(splits) == 20
    for of_galaxy in splits.values():
        labels, where = zip(*sorted(of_galaxy), strict=True)
        assert labels == ("galaxy", "lens") and len(set(where)) == 1
    assert {split for of in splits.values() for _, split in of} == {"train", "validation", "test"}
    # The negatives are the galaxies as they are.
    [negative] = (folder / "images").glob("*/galaxy/000003_*galaxy03.npy")
    np.testing.assert_array_equal(np.load(negative), np.load(galaxies / "galaxy03.npy"))
    [positive] = (folder / "images").glob("*/lens/000003_*galaxy03.npy")
    assert np.load(positive).sum() > np.load(negative).sum() + 1


def test_no_galaxy_that_can_be_used(tmp_path):
    (tmp_path / "galaxies").mkdir()
    np.save(tmp_path / "galaxies" / "small.npy", np.eye(20, dtype=np.float32))
    request = Request([tmp_path / "galaxies"], PHOTOMETRY, ArcRanges())
    (folder := tmp_path / "found").mkdir()
    with pytest.raises(DataError, match=r"None of the 1 images .*small.npy.*shape"):
        measure_selection(BrightnessScorer(), request, folder)


def test_bins_hold_every_arc_once():
    values = np.geomspace(0.5, 2, 50)
    found = {"a": values > 1, "b": values > 3}
    bins = completeness_by("einstein_radius_arcsec", values, found, 5)
    assert [of.arcs for of in bins] == [10] * 10
    assert [of.found for of in bins] == [0, 0, 5, 10, 10, 0, 0, 0, 0, 0]
    assert bins[0].high / bins[0].low == pytest.approx(4**0.2)
    alone = completeness_by("x", np.ones(3), {"a": np.ones(3, bool)}, 2)
    assert sorted(of.arcs for of in alone) == [0, 3]
    assert [of.completeness for of in alone if not of.arcs] == [None]
    assert quantiles_passed(np.arange(99.0), (0.01,)) == {}


def test_a_run_on_galaxies_of_a_user(tiny_run, image_folder, tmp_path):
    words = ["selection", str(tiny_run), "--galaxies", str(image_folder / "blob")]
    words += ["-o", str(tmp_path / "found"), "--pixel-scale", "0.25", "--zero-point", "25"]
    words += ["--psf", "0.7", "--gain", "100", "--einstein-radius", "0.8", "1.4"]
    words += ["--signal-to-noise", "5", "200", "--grid", "4", "--threshold"]
    (tmp_path / "threshold.json").write_text(json.dumps({"threshold": 0.4}))
    asked = [*words, str(tmp_path / "threshold.json")]
    done = CliRunner().invoke(cli, asked, catch_exceptions=False)
    assert done.exit_code == 0 and "arcs found" in done.output
    arcs = rows_of(tmp_path / "found" / "arcs.csv")
    assert len(arcs) == 30
    assert len({row["score"] for row in arcs}) > 1
    noise = sorted({round(float(row["signal_to_noise"]), 3) for row in arcs})
    assert len(noise) == 4 and noise[0] == pytest.approx(5 * 40**0.125, rel=1e-3)
    assert (tmp_path / "found" / "figures" / "completeness_map.png").is_file()
    assert len(list((tmp_path / "found" / "images").glob("*/ring/*.npy"))) == 30
    with pytest.raises(Exception, match="exists already"):
        CliRunner().invoke(cli, asked, catch_exceptions=False)
    with pytest.raises(Exception, match="Set --einstein-radius lower"):
        wide = [*words, "0.5", "--overwrite", "--einstein-radius", "0.8", "9"]
        CliRunner().invoke(cli, wide, catch_exceptions=False)
    # All of it is lensnet's own, and can be replaced.
    check_folder(tmp_path / "found", overwrite=True)
    make_folder(tmp_path / "found", "again")
    assert [path.name for path in (tmp_path / "found").iterdir()] == ["lensnet.json"]


def test_a_folder_that_is_not_ours_stays(tmp_path):
    check_folder(tmp_path / "new", overwrite=False)
    make_folder(tmp_path / "new", "run")
    (tmp_path / "new" / "thesis.tex").write_text("mine")
    for overwrite, words in ((False, "exists already"), (True, "thesis.tex")):
        with pytest.raises(RunError, match=words):
            check_folder(tmp_path / "new", overwrite=overwrite)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="is a file"):
        check_folder(tmp_path / "file", overwrite=True)
