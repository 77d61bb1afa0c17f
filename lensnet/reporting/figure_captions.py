"""The figures of a run as a report shows them: in order, embedded, with a caption."""

from __future__ import annotations

import struct
from pathlib import Path

from lensnet.reporting.embedded_figure import EmbeddedFigure, embed_png

# Keyed by file name without its ending, in the order in which a report shows them. A name of
# which one of these is the beginning ("rotation_profile_8") gets its caption too.
CAPTIONS: dict[str, tuple[str, str]] = {
    "roc_curve": (
        "ROC curve",
        "True against false positive rate as the threshold falls. The area under the "
        "curve is the chance that a member of the class outranks a non-member.",
    ),
    "precision_recall": (
        "Precision and recall",
        "Purity of what is found against the share of the class that is found, as the threshold "
        "falls. The thin line is the share of the class in the test split.",
    ),
    "found_in_top": (
        "Found among the first",
        "How many of the class are among the images of the highest scores, against a perfect "
        "ranking and a random order.",
    ),
    "purity_completeness": (
        "Purity where it is used",
        "Purity against completeness at the prevalence stated in evaluation.prevalence. The band "
        "is the 95 % interval of the false-positive rate: where there are few false positives, "
        "the test split cannot tell how pure a survey's sample would be.",
    ),
    "completeness_by_truth": (
        "Completeness",
        "Share of the test images that is found against what is known of them: ten bins of equal "
        "number at most, with their 95 % intervals.",
    ),
    "confusion_matrix": (
        "Confusion matrix",
        "Where the test images of each true class (row) end up (column). Off the "
        "diagonal are the errors.",
    ),
    "rotation_profile": (
        "Rotation",
        "Change of the score, or of the prediction, as the test images are rotated. The sky "
        "has no preferred orientation: anything but a flat line is an error of the model.",
    ),
    "rotation_accuracy": (
        "Spread and accuracy at each angle",
        "Root mean square change of the answers, and how right they are, at each angle.",
    ),
    "rotation_worst": (
        "Images that change most",
        "The test images whose answers spread most, rotated, with the answer at each angle; in "
        "colour where the class is another than that of the unrotated image.",
    ),
    "regression_scatter": (
        "Prediction against truth",
        "Predicted against true values of the test images; below, the residuals "
        "with their running median.",
    ),
    "residual_histogram": (
        "Errors",
        "Predicted less true values of the test images, against the Gaussian of their mean and "
        "spread.",
    ),
    "interval_coverage": (
        "Coverage",
        "Share of the targets within the predicted intervals, against the share that should be. "
        "Under the diagonal the network is too sure.",
    ),
    "pull_histogram": (
        "Uncertainty",
        "Errors of the test images in units of the stated sigma. Wider than the unit "
        "Gaussian is too sure, narrower too cautious.",
    ),
    "score_histogram": (
        "Scores",
        "Scores of the test images, by true class. Counts are logarithmic, so that "
        "rare confident errors show.",
    ),
    "reliability_diagram": (
        "Calibration",
        "Accuracy against stated confidence. Points under the diagonal are overconfident.",
    ),
    "training_curves": (
        "Training",
        "Loss and metrics after each epoch. The weights kept are those of the best "
        "epoch by validation, never by test.",
    ),
    "example_gallery": (
        "Examples",
        "The errors the model is surest of, and its surest hits.",
    ),
    "explanation": (
        "What the network looks at",
        "Left the image. Middle where the network finds what speaks for its answer: Grad-CAM "
        "(Selvaraju et al. 2017), or the attention of a vision transformer's last block. Right how "
        "far its answer falls where that part of the image is covered with the median of its band "
        "(occlusion, Zeiler & Fergus 2014). A map says where a network looks, not that it is "
        "right.",
    ),
    "embedding_map": (
        "Embedding",
        "The network's pooled features, projected onto their two principal components. Images that "
        "are close are alike to the network.",
    ),
    "embedding_umap": (
        "Embedding by UMAP",
        "The network's pooled features by UMAP (McInnes et al. 2018), which keeps neighbours "
        "together. Distances between groups mean nothing.",
    ),
    "embedding_outliers": (
        "Outliers",
        "The images whose pooled features are farthest from those of the training images: distance "
        "to the k-th nearest, features being of unit length (Sun et al. 2022).",
    ),
}


def embed(paths: list[Path]) -> tuple[list[EmbeddedFigure], list[str]]:
    """Return the figures in the order of `CAPTIONS`, unknown ones last, and what went wrong."""
    figures, problems = [], []
    for path in sorted(paths, key=lambda path: (_place(path.stem), path.stem)):
        try:
            figures.append(embed_png(path.read_bytes(), *_described(path.stem)))
        except (OSError, struct.error) as error:
            problems.append(f"figures/{path.name} cannot be read: {error}")
    return figures, problems


def _described(stem: str) -> tuple[str, str]:
    """Return the name and the caption of a figure by its file name."""
    for known, (name, caption) in CAPTIONS.items():
        if stem.startswith(known):
            rest = stem.removeprefix(known).strip("_").replace("_", " ")
            return f"{name} ({rest})" if rest else name, caption
    return stem.replace("_", " "), ""


def _place(stem: str) -> int:
    known = [place for place, name in enumerate(CAPTIONS) if stem.startswith(name)]
    return known[0] if known else len(CAPTIONS)
