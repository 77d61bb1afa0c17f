"""`lensnet threshold`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lensnet.cli.options import FILE, run_argument

if TYPE_CHECKING:
    from lensnet.purity.finding import Found

__all__ = ["command"]

_SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)


@click.command("threshold", short_help="Find the score above which candidates are pure enough.")
@run_argument
@click.option(
    "--prevalence",
    required=True,
    type=_SHARE,
    help="Share of what is looked for among all objects, such as 5e-4; better too low than too "
    "high.",
)
@click.option("--purity", required=True, type=_SHARE, help="Least share of it among candidates.")
@click.option("--confidence", type=_SHARE, default=0.95, show_default=True)
@click.option(
    "--objects",
    type=click.IntRange(1),
    help="Objects in the survey; the claim is then of a survey of so many. [default: as many as "
    "SCORES has]",
)
@click.option("--scores", type=FILE, help="What `lensnet predict` has written of the survey.")
@click.option(
    "--calibration",
    type=FILE,
    help="Scores of labelled objects, with a column `label`, in place of the run's own splits.",
)
@click.option(
    "--features",
    nargs=2,
    type=FILE,
    metavar="CALIBRATION SURVEY",
    help="Files of `lensnet embed`: of the run's test split, and of images of the survey.",
)
@click.option("--class", "class_name", help="The class looked for. [default: the second of two]")
@click.option(
    "-o",
    "--output",
    type=FILE,
    default=Path("threshold.json"),
    show_default=True,
    help="The JSON file to write.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if lensnet has written it.")
def command(
    run: Path,
    prevalence: float,
    purity: float,
    confidence: float,
    objects: int | None,
    scores: Path | None,
    calibration: Path | None,
    features: tuple[Path, Path] | None,
    class_name: str | None,
    output: Path,
    overwrite: bool,
) -> None:
    """Find the score of RUN above which a share PURITY of the candidates is what is looked for,
    with the stated confidence, where a share PREVALENCE of all objects is.

    The run's validation split chooses the threshold and its test split proves it, by exact
    binomial bounds. Where these have too few negatives for the claim, it is refused with the
    number that it takes, and exit code 3. With SCORES it is tested whether the survey's scores are
    a mixture of the calibration's, at the stated prevalence: if not, a warning says so.

    \b
    Examples:
        lensnet threshold runs/survey --prevalence 5e-4 --purity 0.5 --objects 1000000
        lensnet threshold runs/survey --prevalence 5e-4 --purity 0.5 --scores scores.parquet
    """
    import functools

    from lensnet import files
    from lensnet.errors import DataError
    from lensnet.output_files import check_file_output, check_json
    from lensnet.purity.bounds import Claim
    from lensnet.run_folder import RunFolder

    folder = RunFolder.open(run)
    folder.check()
    check_file_output(output, functools.partial(check_json, kind="threshold"), overwrite=overwrite)
    if calibration is None:
        from lensnet.cli.startup import start_tensorflow

        start_tensorflow()

    from lensnet.purity.from_run import Request, threshold_of_run

    claim = Claim(prevalence, purity, confidence, objects)
    request = Request(claim, scores, calibration, features or None, class_name)
    found = threshold_of_run(folder, request)
    name = folder.read_experiment().name
    files.write_json(output, {"kind": "threshold", "run": name, **found.to_json()})
    _print(found)
    click.echo(f"Written: {output}")
    if found.refusal:
        raise DataError(found.refusal)


def _print(found: Found) -> None:
    """Prints the threshold, what it yields, and what speaks against it."""
    from lensnet.cli.results import table

    content = found.to_json()
    if found.chosen.threshold is not None:
        rows = [
            ["threshold", f"{found.chosen.threshold:.7g}", ""],
            ["purity", f"at least {content['purity_at_least']:.3g}", "of a survey without end"],
            ["completeness", *_with_interval(content["completeness"])],
        ]
        for key in ("candidates", "true", "false"):
            of_key = found.yields if key == "candidates" else found.yields.get(key, {})
            if of_key:
                what = key if key == "candidates" else f"  {key} ones"
                rows.append([what, *_with_interval(of_key)])
        click.echo(table(["", "value", "interval"], rows))
    for words in found.warnings:
        click.echo(f"{click.style('Warning:', fg='yellow')} {words}", err=True)


def _with_interval(content: Mapping[str, Any]) -> list[str]:
    low, high = content["interval"]
    value = content.get("estimate", content.get("expected"))
    return [f"{value:.4g}", f"{low:.4g} to {high:.4g}"]
