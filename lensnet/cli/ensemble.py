"""`lensnet ensemble`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lensnet.cli.options import PATH, runs_argument, set_option

if TYPE_CHECKING:
    from lensnet.run_folder import RunFolder

__all__ = ["command"]


@click.command("ensemble", short_help="Make one run of several, which answers for them all.")
@runs_argument
@click.option(
    "-o",
    "--output",
    "--run-dir",
    "output",
    type=PATH,
    metavar="DIR",
    help="The run folder to make. Default, of a file: runs/ and its name.",
)
@click.option(
    "--combine",
    type=click.Choice(["probabilities", "logits"]),
    help="Of what the mean is taken. [default: probabilities]",
)
@click.option(
    "--weights",
    type=click.Choice(["equal", "fitted"]),
    help="fitted: those of the smallest loss on the validation split. [default: equal]",
)
@click.option(
    "--select",
    is_flag=False,
    flag_value="default",
    metavar="[METRIC]",
    help="Select members greedily by a metric of the validation split, such as roc_auc, tpr0 or "
    "tpr@1e-3. Write it behind the runs.",
)
@click.option(
    "--replacement/--no-replacement",
    default=None,
    help="Whether a run may be selected several times, and so count for more. [default: it may]",
)
@set_option("Override a key of each experiment that a file names.")
@click.option("--overwrite", is_flag=True, help="Replace the run folder if it exists.")
def command(
    runs: tuple[Path, ...],
    output: Path | None,
    overrides: tuple[str, ...],
    overwrite: bool,
    **given: Any,
) -> None:
    """Combine the networks of several finished RUNs, or of a YAML file that names them, into one.

    Its folder is that of a run: evaluate, invariance, predict, export and report take it. The runs
    must have been trained on the same data with the same splits and preprocessing. Nothing is
    chosen by the test split.

    A file has the keys name, experiments and runs, and those of the options; an experiment that
    has no run in runs/ is fitted first.

    \b
    Examples:
        lensnet ensemble runs/a runs/b runs/c -o runs/abc
        lensnet ensemble runs/seed-* -o runs/best --select tpr@1e-3
        lensnet ensemble experiments/study_d/ensemble.yaml
    """
    from lensnet.config.ensemble import EnsembleOptions
    from lensnet.config.loading import load_ensemble_file, read_document

    asked = {key: value for key, value in given.items() if value is not None}
    file = None
    if len(runs) == 1 and runs[0].suffix in (".yaml", ".yml") and not runs[0].is_dir():
        file = load_ensemble_file(runs[0])
        output = output or Path("runs") / file.name
    if output is None:
        raise click.UsageError("Name the run folder to make: -o DIR.")
    if overrides and file is None:
        raise click.UsageError("--set is of the experiments that a file names; finished runs stay.")
    stated = file.model_dump(include=set(EnsembleOptions.model_fields)) if file else {}
    options = EnsembleOptions(**{**stated, **asked})

    from lensnet.ensembling.checks import check_ensemble
    from lensnet.errors import LensnetError

    try:
        members = check_ensemble(
            runs, file, output, options, overrides=overrides, overwrite=overwrite
        )
    except LensnetError as error:
        if file is None or error.key not in stated or error.key in asked:
            raise
        place = read_document(runs[0]).place((error.key,))
        raise type(error)(f"{place}: {error}") from None

    from lensnet.cli.places import check_data_dir
    from lensnet.cli.startup import start_tensorflow
    from lensnet.data.sources.missing_files import check_named_files

    for planned in members.missing:
        check_data_dir(planned.experiment)
        check_named_files(planned.experiment)
    start_tensorflow()

    from lensnet.ensembling import ensemble_runs
    from lensnet.training import fit

    for planned in members.missing:
        click.echo(f"Fitting {planned.file} ...", err=True)
        fit(planned.experiment, planned.run.path, resume=True)
    _print(ensemble_runs(members.runs, output, options, overwrite=overwrite))


def _print(run: RunFolder) -> None:
    """Prints what each member counts and reaches, and then as of any run."""
    from lensnet.cli.results import print_results, table

    found = run.read_json("ensemble.json")["validation"]
    experiment = run.read_experiment()
    keys = list(experiment.task_spec.headline)
    selected_by = experiment.ensemble.select if experiment.ensemble else None
    if selected_by in found[0]["validation"] and selected_by not in keys:
        keys.append(str(selected_by))
    rows = [
        [
            row["name"],
            row["weight"] if row["weight"] is not None else "",
            *map(row["validation"].get, keys),
        ]
        for row in found
    ]
    click.echo()
    click.echo(table(["validation", "weight", *keys], rows))
    print_results(run)
