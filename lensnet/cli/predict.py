"""`lensnet predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lensnet.cli.options import FILE, PATH
from lensnet.cli.survey_inputs import input_options

__all__ = ["command"]


class _BatchSize(click.ParamType):
    """A number from 1 on, or `auto`: None."""

    name = "auto|N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        if value is None or value == "auto":
            return None
        if not str(value).isdecimal() or int(value) < 1:
            self.fail(f'"{value}" is not auto or a number from 1 on.', param, ctx)
        return int(value)


@click.command("predict", short_help="Score files, folders, stacks and catalogues of images.")
@click.argument("run", type=PATH, required=False)
@click.argument("inputs", nargs=-1)
@click.option(
    "-o",
    "--output",
    required=True,
    type=FILE,
    help="The table to write: .csv, .fits, .ecsv, .vot (or .xml), .parquet.",
)
@input_options
@click.option(
    "--uncertainty",
    type=click.Choice(["members", "rotations", "none"]),
    help="members: the spread of an ensemble's networks, at no cost; an ensemble's default. "
    "rotations: the spread over the eight right-angle turns and reflections of an image, at eight "
    "times the network's time.",
)
@click.option(
    "--batch-size",
    type=_BatchSize(),
    help="Images scored at once. By default (auto) what is found to be quickest within half of "
    "the free memory.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on where an earlier predict with this output was stopped or killed, or begin; no "
    "row is lost or doubled.",
)
@click.option(
    "--shard",
    metavar="K/N",
    help="Score the K-th of N shares alone, in an array job; they know nothing of each other.",
)
@click.option("--merge", is_flag=True, help="Write OUTPUT once all shards are scored.")
@click.option(
    "--dask",
    metavar="WHERE",
    help="Score by Dask workers: local:4 (processes here), slurm:8 (jobs), or the address of a "
    "scheduler, tcp://HOST:8786. Needs pip install 'lensnet[dask]'.",
)
@click.option(
    "--partition-rows",
    type=click.IntRange(1),
    default=8192,
    show_default=True,
    help="Rows that are scored as one task, and lost at most by a kill.",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace OUTPUT if lensnet has written it, and what an earlier predict has begun.",
)
def command(
    run: Path | None,
    inputs: tuple[str, ...],
    output: Path,
    uncertainty: str | None,
    batch_size: int | None,
    resume: bool,
    shard: str | None,
    merge: bool,
    dask: str | None,
    partition_rows: int,
    overwrite: bool,
    **understood: Any,
) -> None:
    """Score INPUTS, any number of images, by the best model of RUN.

    INPUTS are image files (.npy, FITS, PNG, JPEG), folders, quoted patterns ("cutouts/*.fits"),
    stacks of images (HDF5, .npy, FITS cubes), and catalogues (CSV, FITS, ECSV, VOTable, Parquet,
    HATS) that name files, or positions to cut out of --mosaics. Images must have the shape of those
    that RUN was trained on; they are preprocessed as those were.

    OUTPUT has a row an image, in the order of the inputs: id, file, position, class and scores (or
    the prediction, and sigma), uncertainty, filled_pixels, status, and every column of the
    catalogue, with its unit. A bad input is a row whose status says what is wrong with it.

    What is done is kept in OUTPUT.parts/ until OUTPUT is whole: after a kill, the same command with
    --resume goes on. For several machines see docs/scaling.md.

    \b
    Examples:
        lensnet predict runs/quickstart cutouts/ one.fits -o scores.csv
        lensnet predict runs/survey galaxies.parquet -o scores.fits --resume
        lensnet predict runs/survey positions.fits --mosaics "tiles/*_{band}.fits" -o scores.ecsv
        lensnet predict runs/ensemble cutouts/ -o scores.parquet --dask local:4
    \b
    As the third of sixteen jobs, and when all are done:
        lensnet predict runs/survey galaxies.parquet -o scores.fits --shard 3/16
        lensnet predict -o scores.fits --merge
    """
    if merge:
        if resume or shard is not None or dask is not None:
            raise click.UsageError(
                "--merge scores nothing: leave out --resume, --shard and --dask."
            )
        from lensnet.prediction import merge_scores

        merge_scores(output, overwrite=overwrite)
        return
    if run is None:
        raise click.UsageError("Missing argument 'RUN'.")
    if not inputs and not understood["lists"]:
        raise click.UsageError("Missing argument 'INPUTS...'.")
    from lensnet.cli.startup import start_tensorflow
    from lensnet.cli.survey_inputs import options_of
    from lensnet.prediction.scoring.score_request import ScoreRequest
    from lensnet.prediction.scoring.scoring_files import score
    from lensnet.prediction.scoring.shards import Shard

    lists = tuple(f"@{path}" for path in understood.pop("lists"))
    request = ScoreRequest(
        run=run,
        inputs=(*inputs, *lists),
        output=output,
        batch_size=batch_size,
        uncertainty=uncertainty,  # type: ignore[arg-type]  # click has checked it
        shard=None if shard is None else Shard.parse(shard),
        dask=dask,
        partition_rows=partition_rows,
        options=options_of(**understood),
        resume=resume,
        overwrite=overwrite,
    )
    score(request, start_network=start_tensorflow)
