"""The selection function of a run's best model."""

from __future__ import annotations

from pathlib import Path

from lensnet.data.files.file_reader import FileReader
from lensnet.evaluation import style
from lensnet.prediction.predictor import Predictor
from lensnet.run_folder import RunFolder
from lensnet.selection.folder import make_folder
from lensnet.selection.measuring import Measured, Request, measure_selection
from lensnet.selection.page import draw_selection, write_selection_page

__all__ = ["selection_of_run"]


def selection_of_run(run: RunFolder, request: Request, folder: Path) -> Measured:
    """Measures which arcs a run's best model finds, and writes tables, figures, images and a page.

    Args:
        run: the run.
        request: what is asked.
        folder: where to; what lensnet has written there is replaced.

    Raises:
        RunError: the run has no model, or is damaged.
        DataError: not one image can be used.
    """
    predictor = Predictor.open(run.path)
    experiment = predictor.experiment
    make_folder(folder, experiment.name)
    reader = FileReader.from_options(experiment.dataset_options)
    measured = measure_selection(predictor, request, folder, reader)
    drawn = draw_selection(measured)
    for name, figure in drawn.items():
        style.save(figure, folder / "figures" / f"{name}.png")
    write_selection_page(measured, folder / "report.html", experiment.name, drawn)
    return measured
