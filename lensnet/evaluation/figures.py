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
from lensnet.evaluation.regression_figures import regression_scatter, residual_histogram
from lensnet.evaluation.rotation_figures import (
    rotation_accuracy,
    rotation_comparison,
    rotation_profile,
    rotation_worst,
)
from lensnet.evaluation.search_figures import (
    completeness_by_truth,
    found_in_top,
    precision_recall,
    purity_completeness,
)
from lensnet.evaluation.sigma_figures import interval_coverage, pull_histogram
from lensnet.evaluation.style import save
from lensnet.evaluation.training_figures import training_curves

__all__ = [
    "completeness_by_truth",
    "confusion_matrix",
    "display_image",
    "example_gallery",
    "found_in_top",
    "interval_coverage",
    "precision_recall",
    "pull_histogram",
    "purity_completeness",
    "regression_scatter",
    "reliability_diagram",
    "residual_histogram",
    "roc_curve",
    "rotation_accuracy",
    "rotation_comparison",
    "rotation_profile",
    "rotation_worst",
    "save",
    "score_histogram",
    "training_curves",
]
