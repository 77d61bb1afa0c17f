"""The pages of inspection: what they hold, where they are written, and what is said of it."""

import base64
import json
import logging
import re
import zlib

import numpy as np
import pytest
import yaml
from astropy.io import fits
from click.testing import CliRunner
from run_folders import write_run
from scored_candidates import EVIL, EVIL_TEXT

from lensnet.cli.main import cli
from lensnet.errors import ConfigurationError, RunError


def inspect(*arguments):
    return CliRunner().invoke(cli, ["inspect", *map(str, arguments)], catch_exceptions=False)


def content_of(page):
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="candidates">(.*?)</script>', text)
    return json.loads(found[1])


def test_a_page(scores, images, tmp_path, caplog):
    page = tmp_path / "top.html"
    with caplog.at_level(logging.WARNING, "lensnet"):
        assert inspect(scores, "-o", page, "--top", 6, "--size", 8).exit_code == 0
    assert "1 of 6 candidates have no image and are grey: J0003" in caplog.text
    content = content_of(page)
    assert content["bands"] == ["g", "r", "i"] and content["colour"] == [2, 1, 0]
    assert content["score"] == "score_lens" and content["total"] == 6
    first = content["candidates"][0]
    assert first["id"] == EVIL and "\u202e" not in first["name"]
    assert ["note", EVIL_TEXT, ""] in first["facts"]
    assert ["score_galaxy", "0", "score"] in first["facts"]
    assert (first["image"]["width"], first["image"]["height"]) == (8, 8)
    assert content["candidates"][3]["image"] is None
    assert content["candidates"][3]["reason"].endswith("missing_g.npy: there is no such file")
    assert [name for name, _ in content["candidates"][4]["links"]] == [
        "Legacy Survey",
        "ESASky",
        "Aladin",
    ]
    assert content["candidates"][5]["links"] == []
    # The first six, one of them missing, are images 0, 1, 2, 0, 1.
    centres = [
        [np.load(images / f"{number}_{band}.npy")[2:10, 4:12] for number in (0, 1, 2, 0, 1)]
        for band in "gri"
    ]
    brightness = [np.median([c.max() - np.median(c) for c in centre]) for centre in centres]
    np.testing.assert_allclose(content["brightness"], brightness, rtol=0.03)
    text = page.read_text(encoding="utf-8")
    assert EVIL_TEXT not in text and "<img src=x" not in text and "\u202e" not in text


def test_the_same_candidates_have_the_same_key(scores, tmp_path):
    keys = []
    for number, arguments in enumerate([("--top", 4), ("--top", 4), ("--top", 3)]):
        inspect(scores, "-o", tmp_path / f"{number}.html", *arguments)
        keys.append(content_of(tmp_path / f"{number}.html")["id"])
    assert keys[0] == keys[1] != keys[2]


def test_a_folder_of_pages(scores, tmp_path):
    pages = tmp_path / "pages"
    inspect(scores, "-o", pages, "--top", 10, "--page-size", 4)
    names = sorted(path.name for path in pages.iterdir())
    assert names == ["index.html", "page-001.html", "page-002.html", "page-003.html"]
    contents = [content_of(pages / name) for name in names[1:]]
    places = [[c["place"] for c in content["candidates"]] for content in contents]
    assert places == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    assert len({content["id"] for content in contents}) == 3
    assert len({tuple(content["brightness"]) for content in contents}) == 1
    index = (pages / "index.html").read_text()
    assert 'href="page-003.html"' in index and "9 to 10" in index
    # Fewer pages leave none of before; what is not lensnet's is left alone.
    (pages / "mine.txt").write_text("mine")
    inspect(scores, "-o", pages, "--top", 4, "--page-size", 4)
    assert sorted(path.name for path in pages.iterdir()) == [
        "index.html",
        "mine.txt",
        "page-001.html",
    ]
    (pages / "index.html").write_text("<title>My site</title>")
    with pytest.raises(RunError, match=r"index.html exists and is not a page that lensnet"):
        inspect(scores, "-o", pages)


def test_options_that_say_nothing(scores, tmp_path):
    both = inspect(scores, "-o", tmp_path / "p.html", "--top", 3, "--random", 3)
    assert both.exit_code == 2 and "one of them" in both.output
    turned = inspect(scores, "-o", tmp_path / "p.html", "--between", 1, 0.5)
    assert turned.exit_code == 2 and "the lowest score and the highest" in turned.output
    nameless = tmp_path / "s.csv"
    nameless.write_text("file,score\na.npy,1\n")
    with pytest.raises(ConfigurationError, match="no column id, by which grades are known"):
        inspect(nameless, "-o", tmp_path / "p.html")


def test_doubles_are_said(scores, tmp_path, caplog):
    table = tmp_path / "s.csv"
    table.write_text("id,file,score\n" + "7,,0.5\n7,,0.6\n8,,0.7\n")
    with caplog.at_level(logging.WARNING, "lensnet"):
        inspect(table, "-o", tmp_path / "p.html")
    assert "1 ids are of more than one candidate, such as 7" in caplog.text
    content = content_of(tmp_path / "p.html")
    assert content["bands"] == [] and content["colour"] is None
    assert {c["reason"] for c in content["candidates"]} == {"the table names no file of it"}


def test_a_run_says_how_files_are_read(images, tmp_path):
    run = write_run(tmp_path / "run")
    options = {"bands": ["r", "g"], "file_pattern": "{id}_{band}"}
    experiment = yaml.safe_load((run / "experiment.yaml").read_text())
    experiment["data"] |= {"source_dir": str(images), "options": options}
    (run / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    table = tmp_path / "s.csv"
    table.write_text("id,file,score\n1,1_r.npy;1_g.npy,0.5\n")
    inspect(table, "-o", tmp_path / "p.html", "--run", run)
    content = content_of(tmp_path / "p.html")
    assert content["bands"] == ["r", "g"] and len(content["candidates"][0]["image"]["bands"]) == 2


def test_candidates_are_cut_out_of_mosaics(tmp_path, caplog):
    rng = np.random.default_rng(0)
    for number, ra in enumerate([10.0, 10.02]):
        header = fits.Header(
            {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": ra, "CRVAL2": 0.0}
            | {"CRPIX1": 50.5, "CRPIX2": 50.5, "CDELT1": -0.25 / 3600, "CDELT2": 0.25 / 3600}
        )
        for band in "gri":
            pixels = rng.normal(size=(100, 100)).astype(np.float32)
            fits.writeto(tmp_path / f"t{number}_{band}.fits", pixels, header)
    table = tmp_path / "s.csv"
    table.write_text("id,file,tile,ra,dec,score\n1,,t1,10.02,0,0.9\n2,,,11,0,0.8\n3,,,,,0.7\n")
    pattern = str(tmp_path / "t*_{band}.fits")
    mosaics = ["--mosaics", pattern, "--bands", "g,r,i", "--size", "5arcsec"]
    with caplog.at_level(logging.WARNING, "lensnet"):
        inspect(table, "-o", tmp_path / "p.html", *mosaics)
    first, outside, nowhere = content_of(tmp_path / "p.html")["candidates"]
    assert (first["image"]["width"], first["image"]["height"]) == (20, 20)
    # The position is where pixels 50 and 51 meet: the cutout is the twenty around it.
    stored = np.frombuffer(zlib.decompress(base64.b64decode(first["image"]["data"])), np.uint8)
    sky, softening, start, step = first["image"]["bands"][1]
    values = sky + softening * np.sinh(start + step * stored.reshape(3, 20, 20)[1].astype(float))
    whole = fits.getdata(tmp_path / "t1_r.fits")
    np.testing.assert_allclose(values, whole[40:60, 40:60], atol=0.2)
    assert outside["reason"] == "outside all of the 2 tiles"
    assert nowhere["reason"] == "it has no position"
    assert "2 of 3 candidates have no image" in caplog.text
    with pytest.raises(ConfigurationError, match="A size in arcseconds"):
        inspect(table, "-o", tmp_path / "p.html", "--size", "5arcsec")
