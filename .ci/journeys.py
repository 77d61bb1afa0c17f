"""Two users' journeys, as the README tells them: their YAML and their commands, on files made here.

python .ci/journeys.py DIRECTORY

From class folders to a SavedModel, and from a table and a mosaic to scores. The README's words are
run as they stand, but for the number of epochs; `~` is the directory.
"""

import csv
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

README = Path(__file__).parent.parent / "README.md"
SECTION = "## Two journeys"
SIDE, SOURCES = 64, 80


def blocks(language: str) -> list[str]:
    """The section's blocks of code in a language."""
    section = README.read_text(encoding="utf-8").split(f"{SECTION}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def galaxy(rng: np.random.Generator, is_lens: bool, side: int = SIDE) -> np.ndarray:
    """A round galaxy with or without a ring, in noise."""
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    radius = np.hypot(rows, columns)
    ring = np.exp(-0.5 * ((radius - side / 5) / 2) ** 2) if is_lens else 0
    return (np.exp(-radius / 4) + ring + 0.1 * rng.standard_normal((side, side))).astype("float32")


def write_folders(home: Path) -> None:
    rng = np.random.default_rng(0)
    for kind in ("nonlens", "lens"):
        (home / "cutouts" / kind).mkdir(parents=True)
        for index in range(SOURCES // 2):
            np.save(home / "cutouts" / kind / f"{index}.npy", galaxy(rng, kind == "lens"))


def write_survey(home: Path) -> None:
    """A mosaic of galaxies side by side, the table of them, and positions to be scored."""
    rng = np.random.default_rng(1)
    across = 10
    sky = WCS(naxis=2)
    sky.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    sky.wcs.crval = [150.0, 2.0]
    sky.wcs.crpix = [across * SIDE / 2, SOURCES / across * SIDE / 2]
    sky.wcs.cdelt = [-0.25 / 3600, 0.25 / 3600]
    mosaic = np.zeros((SOURCES // across * SIDE, across * SIDE), "float32")
    rows = []
    for index in range(SOURCES):
        row, column = divmod(index, across)
        is_lens = bool(index % 2)
        window = np.s_[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
        mosaic[window] = galaxy(rng, is_lens)
        x, y = (column + 0.5) * SIDE - 0.5, (row + 0.5) * SIDE - 0.5
        ra, dec = (float(value) for value in sky.pixel_to_world_values(x, y))
        rows.append((f"J{index}", ra, dec, "lens" if is_lens else "galaxy"))
    (home / "survey").mkdir()
    fits.writeto(home / "survey" / "mosaic.fits", mosaic, sky.to_header())
    write_table(home / "survey" / "objects.csv", ("id", "ra", "dec", "kind"), rows)
    write_table(home / "positions.csv", ("id", "ra", "dec"), [row[:3] for row in rows])


def write_table(path: Path, header: tuple[str, ...], rows: list[tuple]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])


def run(home: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Runs a block of commands in a home directory, and keeps what it prints."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=home,
        env={**os.environ, "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def check(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"The journeys of the README: {what}.")


def main() -> None:
    home = Path(sys.argv[1]).resolve()
    home.mkdir(parents=True)
    write_folders(home)
    write_survey(home)
    for text in blocks("yaml"):
        name = re.search(r"^name: (\S+)", text, re.MULTILINE)[1]
        few, count = re.subn(r"epochs: \d+", "epochs: 1", text)
        check(count == 1, "a YAML block says no number of epochs")
        (home / f"{name}.yaml").write_text(few)
    # The journeys share nothing but the directory of records, as two users of one machine would.
    with ThreadPoolExecutor() as pool:
        texts = blocks("bash")
        for text, done in zip(texts, pool.map(partial(run, home), texts), strict=True):
            sys.stdout.write(f"{text}{done.stdout}")
            sys.stdout.flush()
            check(done.returncode == 0, "a command has failed")
    exported = home / "runs" / "my-lenses" / "export" / "saved_model" / "saved_model.pb"
    check(exported.is_file(), "there is no SavedModel")
    with (home / "scores.csv").open(newline="", encoding="utf-8") as stream:
        scores = list(csv.DictReader(stream))
    names = [row["id"] for row in scores]
    check(names == [f"J{index}" for index in range(SOURCES)], "positions are missing in the scores")
    check(all(0 <= float(row["score_lens"]) <= 1 for row in scores), "scores are no probabilities")


if __name__ == "__main__":
    main()
