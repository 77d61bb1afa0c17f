"""The page of candidates as a browser shows it: grading, coming back, and what must not happen."""

import json
import time

import numpy as np
import pytest
from chromium import Chromium, find_chromium
from click.testing import CliRunner
from scored_candidates import EVIL

from lensnet.cli.main import cli
from lensnet.exploration.stretching import colour_picture, grey_picture
from lensnet.grades import read_grades

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium"),
]


@pytest.fixture(scope="module")
def page(scores, tmp_path_factory):
    path = tmp_path_factory.mktemp("inspection") / "top.html"
    arguments = ["inspect", str(scores), "-o", str(path), "--top", "1000"]
    CliRunner().invoke(cli, arguments, catch_exceptions=False)
    return path


@pytest.fixture(scope="module")
def browser():
    with Chromium() as opened:
        yield opened


def open_page(browser, page, **screen):
    """Opens a page, and waits until it has read what the browser keeps for it."""
    browser.open(page, **screen)
    wait_until(browser, "document.body.dataset.ready")


def wait_until(browser, condition):
    """Waits until an expression of the page is true."""
    end = time.monotonic() + 20
    while not browser.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.02)


def forget(browser):
    """Takes away what the browser keeps for the page, but not the page."""
    browser.evaluate("localStorage.clear()")
    browser.evaluate(
        "answered(keeping.database.transaction(STORE, 'readwrite').objectStore(STORE).clear())"
    )


@pytest.fixture
def fresh(browser, page):
    """Opens the page in a browser that has kept nothing."""
    open_page(browser, page)
    forget(browser)
    open_page(browser, page)
    return browser


def progress(browser):
    return browser.evaluate("document.getElementById('progress').textContent")


def at_hand(browser):
    return browser.evaluate("Number(document.querySelector('[aria-current]').dataset.n)")


def grades_shown(browser):
    """Returns the grades on the cards, by place from 0."""
    shown = browser.evaluate(
        "JSON.stringify([...document.querySelectorAll('.candidate')].map(c => c.dataset.grade))"
    )
    return {n: grade for n, grade in enumerate(json.loads(shown)) if grade}


def saved(browser, folder):
    """Presses the button that saves, and returns the grades of the file."""
    browser.do("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    browser.evaluate("document.getElementById('save').click()")
    end = time.monotonic() + 20
    while not (found := list(folder.glob("*.csv"))) and time.monotonic() < end:
        time.sleep(0.05)
    return found[0]


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_and_asks_for_nothing(browser, page, width, dark, tmp_path):
    open_page(browser, page, width=width, dark=dark)
    assert browser.evaluate("document.querySelectorAll('.candidate').length") == 1000
    assert browser.requests == []
    assert browser.complaints == []
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    light = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (light == "rgb(18, 22, 27)") is dark
    # Images are drawn as they come into sight, and those far below are not.
    drawn = "[...document.querySelectorAll('.candidate canvas')].map(c => c.dataset.drawn ?? '')"
    browser.evaluate("new Promise(done => setTimeout(done, 500))")
    assert browser.evaluate(f"({drawn})[0]") != "" and browser.evaluate(f"({drawn})[900]") == ""


def test_grading_by_keys_reload_undo_and_export(fresh, page, tmp_path):
    fresh.press("a", "b", "x", "ArrowRight", "c")
    assert grades_shown(fresh) == {0: "A", 1: "B", 2: "X", 4: "C"}
    assert at_hand(fresh) == 5 and progress(fresh) == "4 of 1000 graded"
    fresh.press("m")
    fresh.do("Input.insertText", text='an "arc", =maybe')
    fresh.press("Escape", "x")
    open_page(fresh, page)
    assert grades_shown(fresh) == {0: "A", 1: "B", 2: "X", 4: "C", 5: "X"}
    assert at_hand(fresh) == 3  # the first that is not graded
    fresh.press("a", "u", "a", "a")
    assert grades_shown(fresh)[3] == "A" and grades_shown(fresh)[4] == "A"
    fresh.press("u", "u")
    assert 3 not in grades_shown(fresh) and grades_shown(fresh)[4] == "C"
    fresh.evaluate("document.getElementById('grader').focus()")
    fresh.do("Input.insertText", text="Ann B.")
    grades = read_grades(saved(fresh, tmp_path))
    assert [(given.id, given.grade, given.grader) for given in grades] == [
        (EVIL, "A", "Ann B."),
        ("J0001", "B", "Ann B."),
        ("J0002", "X", "Ann B."),
        ("J0004", "C", "Ann B."),
        ("J0005", "X", "Ann B."),
    ]
    assert grades[4].comment == 'an "arc", =maybe'
    assert grades[0].time < grades[1].time < grades[3].time


def test_a_saved_file_is_loaded_again(fresh, page, tmp_path):
    fresh.press("a", "b")
    text = saved(fresh, tmp_path).read_text(encoding="utf-8")
    forget(fresh)
    open_page(fresh, page)
    assert progress(fresh) == "0 of 1000 graded"
    text = json.dumps(text + "J9999,A,ann,,,,\n")
    fresh.evaluate(f"load(new File([{text}], 'g.csv'))")
    assert grades_shown(fresh) == {0: "A", 1: "B"}
    said = fresh.evaluate("document.getElementById('said').textContent")
    assert said == "2 grades loaded. 1 are of other pages."


def test_texts_are_text(fresh):
    text = fresh.evaluate("document.body.innerText")
    assert "=cmd(), \"<img src=x onerror=alert(1)>\\u202e'" in text and "\u202e" not in text
    assert "</script><script>alert(2)</script>" in text
    assert fresh.evaluate("document.scripts.length") == 2
    assert fresh.evaluate("document.images.length") == 0
    links = fresh.evaluate("[...document.querySelectorAll('a')].map(a => a.href).join(' ')")
    assert links.count("https://") == 3 and "ra=0.000000&dec=0.000000" in links
    assert fresh.complaints == []


def test_filter_and_search(fresh):
    fresh.press("a", "x")
    for value, count in [("none", 998), ("A", 1), ("all", 1000)]:
        fresh.evaluate(
            f"document.getElementById('filter').value = '{value}';"
            "document.getElementById('filter').dispatchEvent(new Event('change'))"
        )
        assert fresh.evaluate("document.querySelectorAll('#cards > *').length") == count
    fresh.press("/")
    fresh.do("Input.insertText", text="mag 77")
    shown = fresh.evaluate(
        "[...document.querySelectorAll('#cards .name')].map(c => c.textContent).join()"
    )
    assert shown == ",".join(f"J{n:04}" for n in [77, *range(770, 780)])
    assert at_hand(fresh) == 77


def test_a_browser_that_is_killed_loses_nothing(page, tmp_path):
    with Chromium(tmp_path) as browser:
        open_page(browser, page)
        browser.press("a", "b", "c", "x")
        browser.evaluate("keeping.written")
    # That was no friendly end: the process is killed, which localStorage alone does not outlast.
    with Chromium(tmp_path) as browser:
        open_page(browser, page)
        assert grades_shown(browser) == {0: "A", 1: "B", 2: "C", 3: "X"}


def test_without_storage_there_is_a_warning(page, tmp_path):
    with Chromium() as browser:
        browser.do(
            "Page.addScriptToEvaluateOnNewDocument",
            source="for (const name of ['localStorage', 'indexedDB'])"
            "Object.defineProperty(window, name, {get() {"
            "throw new DOMException('denied', 'SecurityError')}})",
        )
        open_page(browser, page)
        assert browser.evaluate("document.getElementById('unkept').checkVisibility()")
        assert "denied" in browser.evaluate("document.getElementById('unkept').innerText")
        browser.press("a", "x")
        assert progress(browser) == "2 of 1000 graded"
        assert len(read_grades(saved(browser, tmp_path))) == 2
    with Chromium() as browser:
        open_page(browser, page)
        assert not browser.evaluate("document.getElementById('unkept').checkVisibility()")


def pictures(browser, expression):
    """Returns RGBA bytes that the page's functions make, (H, W, 4)."""
    found = browser.evaluate(f"({expression}).then(bytes => JSON.stringify([...bytes]))")
    return np.array(json.loads(found)).reshape(12, 16, 4)


def test_stretches_are_those_of_our_figures(fresh):
    planes = json.loads(
        fresh.evaluate(
            "planesOf(candidates[1]).then(planes => JSON.stringify(planes.map(p => [...p])))"
        )
    )
    image = np.moveaxis(np.array(planes).reshape(3, 12, 16), 0, -1)
    brightness = json.loads(fresh.evaluate("JSON.stringify(page.brightness)"))
    plain = "{stretch: 'asinh', brightness: 0, contrast: 0}"
    grey = pictures(fresh, f"planesOf(candidates[1]).then(p => greyPicture(p[1], {plain}))")
    np.testing.assert_allclose(grey[..., 0], 255 * grey_picture(image[..., 1]), atol=0.51)
    assert (grey[..., 3] == 255).all() and (grey[..., 0] == grey[..., 2]).all()
    made = f"colourPicture([p[2], p[1], p[0]], [2, 1, 0].map(b => page.brightness[b]), {plain})"
    colour = pictures(fresh, f"planesOf(candidates[1]).then(p => {made})")
    expected = 255 * colour_picture(image, (2, 1, 0), brightness)
    np.testing.assert_allclose(colour[..., :3], expected, atol=0.51)
    # MTF: the median becomes a quarter of white, as in PixInsight's automatic stretch.
    plain = plain.replace("asinh", "mtf")
    mtf = pictures(fresh, f"planesOf(candidates[1]).then(p => greyPicture(p[1], {plain}))")
    np.testing.assert_allclose(mtf[..., 0], 255 * _auto_mtf(image[..., 1]), atol=0.51)
    assert abs(np.median(mtf[..., 0]) - 0.25 * 255) < 3


def _auto_mtf(plane):
    """PixInsight's automatic screen stretch: shadows -2.8, background 0.25."""
    values = (plane - plane.min()) / np.ptp(plane)
    median = np.median(values)
    black = max(0, median - 2.8 * 1.4826 * np.median(np.abs(values - median)))

    def mtf(m, x):
        return (m - 1) * x / ((2 * m - 1) * x - m)

    midtones = mtf(0.25, (median - black) / (1 - black))
    return mtf(midtones, ((values - black) / (1 - black)).clip(0, 1))


def test_keys_change_what_is_seen(fresh):
    wait = "new Promise(done => setTimeout(done, 300))"
    pixels = (
        "(() => { const c = document.querySelector('#picture canvas');"
        "return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].join() })()"
    )
    fresh.evaluate(wait)
    seen = [fresh.evaluate(pixels)]
    for key in ("s", "v", "]", "+"):
        fresh.press(key)
        fresh.evaluate(wait)
        seen.append(fresh.evaluate(pixels))
    assert len(set(seen)) == 5
    fresh.press("0", "v", "v", "v", "s", "s")
    fresh.evaluate(wait)
    assert fresh.evaluate(pixels) == seen[0]
