"""A table of scores of candidates of which some have images, and names that do harm."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

__all__ = ["EVIL", "EVIL_TEXT", "write_images", "write_scores"]

EVIL = "=cmd(), \"<img src=x onerror=alert(1)>\u202e'"
EVIL_TEXT = "</script><script>alert(2)</script>"


def write_images(folder: Path) -> Path:
    """Writes a few images of three bands, a file each, of 12 by 16 pixels, into a folder."""
    rng = np.random.default_rng(3)
    for number in range(4):
        for band, name in enumerate("gri"):
            rows, columns = np.mgrid[:12, :16]
            light = 40 * (band + 1) * np.exp(-((rows - 6) ** 2 + (columns - 8) ** 2) / 6)
            image = light + rng.normal(size=(12, 16)) + 100
            np.save(folder / f"{number}_{name}.npy", image.astype(np.float32))
    return folder


def write_scores(folder: Path) -> Path:
    """Writes a table of 1,005 rows into a folder: the best is evil, the last has no score."""
    path = folder / "scores.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(
            "id,file,ra,dec,predicted,score_galaxy,score_lens,uncertainty,status,note".split(",")
        )
        for number in range(1005):
            score = 1 - number / 1010
            files = ";".join(f"{number % 4}_{band}.npy" for band in "gri")
            row = [f"J{number:04}", files, number / 3, number / 20, "lens", 1 - score, score]
            row += [(number * 7919 % 1005) / 1005, "ok", f"mag {number}"]
            if number == 0:
                row[0], row[-1] = EVIL, EVIL_TEXT
            if number == 3:
                row[1] = "missing_g.npy;missing_r.npy;missing_i.npy"
            if number == 5:
                row[2] = row[3] = ""
            if number == 1004:
                row[5] = row[6] = row[7] = ""
                row[8] = "the file is empty"
            table.writerow(row)
    return path
