"""Pages as a browser shows them: they ask for nothing, run nothing, and fit a phone and paper."""

import numpy as np
import pytest
import yaml
from chromium import Chromium, find_chromium
from run_folders import EVIL, EXPERIMENT, write_run

from lensnet.config import Experiment
from lensnet.data import BadFileError
from lensnet.embedding import Embedder, Embedding
from lensnet.embedding.embedding import Near, Request
from lensnet.embedding.page import write_embedding_page
from lensnet.explanation.explaining import Explained, Explanation, Method
from lensnet.explanation.page import write_explanation_page
from lensnet.prediction import Predictor
from lensnet.prediction.planning import Input
from lensnet.reporting import write_report
from lensnet.reporting.comparison import compare_runs
from lensnet.reporting.comparison_page import write_comparison_page, write_invariance_page

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium"),
]


@pytest.fixture(scope="module")
def browser():
    with Chromium() as opened:
        yield opened


def experiment():
    content = yaml.safe_load(EXPERIMENT) | {"name": "made-up"}
    content["data"]["source_dir"] = "."
    return Experiment.model_validate(content)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    names = ("one", EVIL)
    runs = [write_run(folder / name, seed, draw=True) for seed, name in enumerate(names)]
    comparison = compare_runs(runs)
    rng = np.random.default_rng(0)
    image = rng.random((24, 24, 1))
    explained = [
        Explanation(EVIL, image, EVIL, f"{EVIL} 0.9", rng.random((24, 24)), rng.normal(size=(6, 6)))
    ] * 5
    method = Method("Grad-CAM", "of stage one")
    explained = Explained(explained, "", method, "logit of the class given", EVIL)
    near = [(0.25, Near(EVIL, image, f"given: {EVIL}"))] * 7
    embedding = Embedding(
        images=90,
        dimensions=4,
        request=Request(split="test", outliers=True),
        embedder=Embedder(Predictor(None, None, ("galaxy", EVIL), experiment()), None),
        sample=(rng.normal(size=(90, 4)), rng.integers(0, 2, 90).astype(float)),
        query=near[0][1],
        neighbours=near,
        outliers=near,
        reference=100,
        bad=[Input(EVIL, EVIL, error=BadFileError(EVIL, "it is cut off"))],
    )
    return {
        "explanation": write_explanation_page(explained, folder / "explanation.html"),
        "embedding": write_embedding_page(embedding, folder / "embedding.html"),
        "report": write_report(runs[0]),
        "comparison": write_comparison_page(comparison, folder / "comparison.html"),
        "invariance": write_invariance_page(runs, folder / "invariance.html"),
    }


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (400, True)])
@pytest.mark.parametrize("page", ["report", "comparison", "invariance", "explanation", "embedding"])
def test_page(browser, pages, page, width, dark, tmp_path):
    browser.open(pages[page], width=width, dark=dark)
    assert browser.requests == []
    assert browser.complaints == []
    # Nothing but tables and wide figures, which scroll by themselves, is wider than the screen.
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.evaluate("document.scripts.length") == 0
    assert browser.evaluate("document.querySelectorAll('img:not([src^=\"data:\"])').length") == 0
    shown = browser.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert shown and browser.evaluate("document.images.length") > 0
    light = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (light == "rgb(18, 22, 27)") is dark
    browser.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000


def test_names_are_text(browser, pages):
    for page in pages.values():
        browser.open(page)
        text = browser.evaluate("document.body.innerText")
        assert "\u202e" not in text
        assert "<img src=x onerror=alert(1)> \\u202e=cmd()" in text, page


def test_pages_are_printed(browser, pages, tmp_path):
    browser.open(pages["report"])
    browser.print_pages(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes()[:5] == b"%PDF-"
