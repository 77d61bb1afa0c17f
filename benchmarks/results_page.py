"""Writes docs/results.md, and its figures, from the result files of benchmarks/small_studies.py.

python benchmarks/results_page.py [--results benchmarks/results] [--output docs/results.md]

Nothing but the files decides what the page says; tests/benchmarks checks that it is what they give.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from results_figures import figures_of
from results_tables import Measured, committee_table, markdown, measured_rows, paired_table
from results_tables import row_table as table_of
from results_targets import measured_targets
from small_results import result_file
from small_study_files import ROOT, Study, studies

from lensnet.evaluation.style import save

HEAD = """\
# Where symmetry pays

<!-- Made by benchmarks/results_page.py from benchmarks/results/small_*.json. Do not edit. -->

The studies' questions, asked again at a size that two CPU cores answer: simulated images, 1,125
steps of 32 images, the same for all rows of a question. Numbers are means over seeds, ± their
sample standard deviation; a row of one seed has none, and says little. What is not in a table is
not measured. Each row is an experiment of `lensnet fit`: its files lie in `experiments/small`, and

```bash
python benchmarks/small_studies.py --work DIR --budget 120
python benchmarks/results_page.py
```

run what is missing, the most telling rows first, and make this page. Seconds are those of the
machine that each result file names, with whatever else ran there: the files have the load average
of each row.
"""


def page(folder: Path) -> tuple[str, dict[str, Any]]:
    """The page and its figures by name, from the result files in a folder."""
    results = {study.name: _read(result_file(folder, study.name)) for study in studies()}
    rows = {study.name: measured_rows(study, results[study.name]) for study in studies()}
    lines = HEAD.splitlines()
    if any(run.get("smoke") for content in results.values() for run in content.get("runs", [])):
        lines += ["", "**Some rows are of a smoke run, on a few images: they mean nothing.**"]
    lines += [
        "",
        "## Targets",
        *markdown(("measure", "target", "measured"), measured_targets(rows, results)),
    ]
    figures: dict[str, Any] = {}
    for study in studies():
        lines += _section(study, rows[study.name], results[study.name], figures)
    return "\n".join(_single_blanks(lines)) + "\n", figures


def _section(
    study: Study, rows: Sequence[Measured], results: Mapping[str, Any], figures: dict[str, Any]
) -> list[str]:
    """What is said of a question; its figures are added to those of the page."""
    lines = ["", f"## {study.question}", "", *textwrap.wrap(study.asks, 100), ""]
    every = study.rows()
    if not rows:
        return [
            *lines,
            f"Not measured yet: none of {len(every)} rows. They are run by",
            *_bash([f"python benchmarks/small_studies.py --work DIR --only {study.name}"]),
        ]
    if study.name == "symmetry":
        for name, words, figure in figures_of(rows):
            figures[name] = figure
            lines += [f"![{words}](figures/{name}.png)", "", f"{words}.", ""]
    for name, table in study.tables.items():
        of_table = [one for one in rows if one.row.table_name == name]
        total = sum(row.table_name == name for row in every)
        judged = "its own test split" if table.judged_by == "test" else f"`{table.judged_by}`"
        lines += [
            f"### {study.name}: {name}",
            "",
            f"Judged by {judged}. {len(of_table)} of {total} rows are measured.",
        ]
        if of_table:
            lines += table_of(of_table)
        if table.runner == "invariance":
            lines += paired_table(of_table, "change", "as-is", "accuracy")
    if results.get("committees"):
        lines += ["### Committees", *committee_table(results["committees"])]
    lines += [_where(results), "", *_commands(study, rows)]
    return lines


def _where(results: Mapping[str, Any]) -> str:
    """On what it was measured."""
    found = []
    for one in results["environments"]:
        versions = ", ".join(f"{name} {version}" for name, version in one["packages"].items())
        found.append(f"{one['processor']}, {one['usable_cpus']} CPUs; {versions}")
    return "Measured on " + "; and on ".join(dict.fromkeys(found)) + "."


def _commands(study: Study, rows: Sequence[Measured]) -> list[str]:
    """How each row is run again, at one of its seeds."""
    if any(one.row.recipe is None for one in rows):
        seeds = " ".join(str(seed) for seed in sorted({r["seed"] for m in rows for r in m.runs}))
        command = f"python benchmarks/small_studies.py --work DIR --only {study.name}"
        return _bash([f"{command} --seeds {seeds}"])
    return _bash(one.row.command(one.runs[0]["seed"]) for one in rows)


def _bash(commands: Any) -> list[str]:
    return ["", "```bash", *commands, "```", ""]


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _single_blanks(lines: Sequence[str]) -> list[str]:
    """The lines without a second blank one after another."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "results.md")
    arguments = parser.parse_args()
    text, figures = page(arguments.results)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(text, encoding="utf-8")
    for name, figure in figures.items():
        save(figure, arguments.output.parent / "figures" / f"{name}.png")
    print(f"Written: {arguments.output}, {len(figures)} figures")


if __name__ == "__main__":
    main()
