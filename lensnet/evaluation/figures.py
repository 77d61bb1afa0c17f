"""The figures of a run, each a function that returns a `matplotlib.figure.Figure`, and `save`.

Example:
    >>> import tempfile
    >>> from lensnet.evaluation import figures
    >>> figure = figures.roc_curve([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], ["galaxy", "lens"])
    >>> figures.save(figure, f"{tempfile.mkdtemp()}/roc_curve.png").name
    'roc_curve.png'
"""

from lensnet.evaluation.class_figures import (
    confusion_matrix,
    reliability_diagram,
    roc_curve,
    score_histogram,
)
from lensnet.evaluation.image_figures import display_image, example_gallery
from lensnet.evaluation.regression_figures import regression_scatter
from lensnet.evaluation.rotation_figures import rotation_profile
from lensnet.evaluation.sigma_figures import pull_histogram
from lensnet.evaluation.style import save
from lensnet.evaluation.training_figures import training_curves

__all__ = [
    "confusion_matrix",
    "display_image",
    "example_gallery",
    "pull_histogram",
    "regression_scatter",
    "reliability_diagram",
    "roc_curve",
    "rotation_profile",
    "save",
    "score_histogram",
    "training_curves",
]
