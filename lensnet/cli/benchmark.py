"""`lensnet benchmark`."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lensnet.cli.options import FILE, run_argument

if TYPE_CHECKING:
    from lensnet.export.benchmarking import Benchmark

__all__ = ["command"]

_COLUMNS = (
    "model",
    "batch_size",
    "milliseconds",
    "slowest_milliseconds",
    "images_per_second",
    "times_faster",
)
_FORMATS = (".csv", ".json")


@click.command("benchmark", short_help="Time a run's model, folded and exported, too.")
@run_argument
@click.option(
    "--batch-size",
    "batch_sizes",
    multiple=True,
    default=(1, 8, 64),
    show_default=True,
    type=click.IntRange(1),
    help="Images answered at once; may be given several times.",
)
@click.option(
    "--rounds",
    default=10,
    show_default=True,
    type=click.IntRange(1),
    help="Turns that each model has.",
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="A .csv or .json file to write as well.",
)
@click.option("--overwrite", is_flag=True, help="Replace that file if lensnet has written it.")
def command(
    run: Path, batch_sizes: tuple[int, ...], rounds: int, output: Path | None, overwrite: bool
) -> None:
    """Time how fast the best model of RUN answers on this machine.

    As it is loaded, which is what `lensnet predict` uses; folded (lensnet.layers.fold); and as
    each of the exports in RUN/export. All take raw images, and take turns. `times faster` is than
    the model as it is loaded.

    \b
    Example:
        lensnet benchmark runs/my-lenses --batch-size 1 --batch-size 64 -o speed.csv
    """
    from lensnet.run_folder import RunFolder

    RunFolder.open(run).check()
    if output is not None:
        _check_output(output, overwrite=overwrite)

    from lensnet.cli.startup import start_tensorflow

    start_tensorflow()

    from lensnet.export import benchmark_run

    found = benchmark_run(run, batch_sizes, rounds=rounds)
    _print(found, run)
    if output is not None:
        _write(found, output)
        click.echo(f"Written: {output}")


def _check_output(output: Path, *, overwrite: bool) -> None:
    """Checks, before anything is timed, that the table can be written.

    Raises:
        ConfigurationError: it is to be of a kind that is not written, or cannot be written there.
        RunError: it exists, and is not to be replaced or not lensnet's own.
    """
    from lensnet.errors import ConfigurationError
    from lensnet.output_files import check_file_output, check_json, check_table

    if output.suffix.lower() not in _FORMATS:
        raise ConfigurationError(
            f"Timings are written as CSV or JSON; {output.name} ends with neither .csv nor .json."
        )
    is_table = output.suffix.lower() == ".csv"
    check_own = (
        functools.partial(check_table, columns=_COLUMNS[:3])
        if is_table
        else functools.partial(check_json, kind="benchmark")
    )
    check_file_output(output, check_own, overwrite=overwrite)


def _print(found: Benchmark, run: Path) -> None:
    from lensnet.cli.results import table

    environment = found.environment
    threads = environment["intra_op_threads"] or environment["processors_available"]
    click.echo(
        f"{environment['processor']}, {environment['processors_available']} processors, "
        f"{threads} threads, {', '.join(dict.fromkeys(environment['devices']))}, "
        f"TensorFlow {environment['tensorflow']}, "
        f"TF_ENABLE_ONEDNN_OPTS={environment['TF_ENABLE_ONEDNN_OPTS']}"
    )
    load, processors = environment["load_average"], environment["processors_available"]
    if load is not None and load > processors / 2:
        click.echo(
            f"Other processes were at work (load {load:.1f}), and times are longer than alone."
        )
    rows: list[list[Any]] = [
        [
            timing.model,
            timing.batch_size,
            round(timing.milliseconds, 2),
            round(timing.slowest_milliseconds, 2),
            round(timing.images_per_second),
            round(timing.times_faster, 2),
        ]
        for timing in found.timings
    ]
    heading = ["model", "batch", "ms a batch", "slowest ms", "images a second", "times faster"]
    click.echo(table(heading, rows))
    for name, reason in found.left_out.items():
        click.echo(f"Left out: {name}. {reason}")
    if not any(timing.model.startswith("export/") for timing in found.timings):
        click.echo(f"No export is there to be timed: `lensnet export {run}` makes one.")


def _write(found: Benchmark, output: Path) -> None:
    from lensnet import files
    from lensnet.csv_tables import writing_table

    if output.suffix.lower() == ".json":
        files.write_text(output, json.dumps({"kind": "benchmark", **found.to_dict()}, indent=2))
        return
    with writing_table(output, _COLUMNS, _COLUMNS[1:]) as rows:
        for timing in found.timings:
            rows.row([_cell(getattr(timing, name)) for name in _COLUMNS])


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
