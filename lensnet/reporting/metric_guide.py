"""What each metric is called, means to an astrophysicist, and looks like in a table."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class MetricGuide:
    """One metric: its name, whether more or less of it is better, and what it says."""

    name: str
    better: str  # "higher", "lower" or ""
    meaning: str


GUIDES: dict[str, MetricGuide] = {
    "accuracy": MetricGuide("Accuracy", "higher", "Share of images given their true class."),
    "roc_auc": MetricGuide(
        "ROC AUC",
        "higher",
        "Chance that an image of a class scores higher for it than an image of another class; "
        "0.5 is guessing. With several classes, the mean of each against the rest.",
    ),
    "roc_auc_ovo": MetricGuide(
        "ROC AUC, pairwise",
        "higher",
        "The same for every pair of classes (Hand & Till 2001), so that rare classes count as "
        "much as common ones.",
    ),
    "f1": MetricGuide(
        "F1",
        "higher",
        "Harmonic mean of purity and completeness; with several classes, the mean over them.",
    ),
    "log_loss": MetricGuide(
        "Log loss",
        "lower",
        "Mean of −ln of the probability given to the true class, in nats; punishes confident "
        "errors.",
    ),
    "ece": MetricGuide(
        "Calibration error",
        "lower",
        "By how much a stated probability is off on average: at 0.05, scores of 0.90 come true "
        "85 to 95 % of the time (Guo et al. 2017).",
    ),
    "tpr0": MetricGuide(
        "TPR0",
        "higher",
        "Share of {positive} ranked above the first false positive: what a search finds without a "
        "single false alarm (Metcalf et al. 2019).",
    ),
    "tpr10": MetricGuide(
        "TPR10",
        "higher",
        "Share of {positive} ranked above the tenth false positive (Metcalf et al. 2019).",
    ),
    **{
        f"tpr_at_fpr_1e-{power}": MetricGuide(
            f"TPR at FPR 1e-{power}",
            "higher",
            "Share of {positive} found by a threshold that lets through one in "
            f"{10**power:,} of the others.",
        )
        for power in (2, 3, 4)
    },
    "average_precision": MetricGuide(
        "Average precision",
        "higher",
        "Purity averaged over every level of completeness; a random ranking gives the share of "
        "{positive} in the sample.",
    ),
    "mse": MetricGuide("MSE", "lower", "Mean squared error, in the target's unit squared."),
    "mae": MetricGuide("MAE", "lower", "Mean absolute error, in the target's unit."),
    "rmse": MetricGuide(
        "RMSE", "lower", "Root of the mean squared error, in the target's unit: the typical error."
    ),
    "r2": MetricGuide(
        "R²",
        "higher",
        "Share of the target's variance that is predicted; 0 is no better than always giving the "
        "mean.",
    ),
    "nll": MetricGuide(
        "Negative log likelihood",
        "lower",
        "Mean of −ln of the Gaussian likelihood of the target, in nats: of the prediction and its "
        "stated sigma together.",
    ),
    "coverage_68": MetricGuide(
        "Within one sigma",
        "",
        "Share of targets within the stated sigma of the prediction; 0.683 where sigma is right.",
    ),
    "rotation_std": MetricGuide(
        "Rotation spread",
        "lower",
        "Standard deviation of the score while the image is rotated, averaged over images (of a "
        "regression, in units of the target's); zero for a model that knows no orientation.",
    ),
    "rotation_flip_rate": MetricGuide(
        "Rotation flips",
        "lower",
        "Share of images whose predicted class changes under some rotation.",
    ),
    "examples": MetricGuide("Images", "", "Number of images measured."),
}


def guide(key: str, positive: str = "the positive class") -> MetricGuide:
    """Return what is known of a metric; an unknown one keeps its name and stays unexplained.

    Args:
        key: in `metrics.json`.
        positive: what a search looks for, in words.

    Example:
        >>> guide("tpr10", 'the class "quasar"').meaning
        'Share of the class "quasar" ranked above the tenth false positive (Metcalf et al. 2019).'
    """
    found = GUIDES.get(key, MetricGuide(key.replace("_", " "), "", ""))
    return replace(found, meaning=found.meaning.replace("{positive}", positive))


def in_order(keys: set[str]) -> list[str]:
    """Return the keys in the order of the guide, unknown ones last, by name."""
    known = [key for key in GUIDES if key in keys]
    return known + sorted(keys - GUIDES.keys())


def as_text(key: str, value: float | None) -> str:
    """Return a value as a table shows it; an undefined one as a dash.

    Example:
        >>> as_text("roc_auc", 0.98765), as_text("examples", 12000.0), as_text("f1", None)
        ('0.9877', '12\\u202f000', '–')
        >>> as_text("rotation_std", 3.2e-08)
        '3.2e-08'
    """
    if value is None:
        return "–"
    if key == "examples":
        return whole(value)
    if value and not 1e-4 <= abs(value) < 1e5:
        return f"{value:.2g}" if abs(value) < 1 else f"{value:.4g}"
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.5g}"


def interval_text(key: str, ends: tuple[float, float] | None) -> str:
    """Return an interval as a table shows it.

    Example:
        >>> interval_text("accuracy", (0.91, 0.94)), interval_text("accuracy", None)
        ('0.9100 to 0.9400', '')
    """
    return "" if ends is None else " to ".join(as_text(key, end) for end in ends)


def interval_in_percent(ends: tuple[float, float] | None) -> str:
    """Return an interval of a share in percent.

    Example:
        >>> interval_in_percent((0.01, 0.02))
        '1.00 % to 2.00 %'
    """
    return "" if ends is None else " to ".join(map(percent, ends))


def percent(share: float) -> str:
    """Return a share in percent, and one too small to show as that.

    Example:
        >>> percent(0.0123), percent(3e-8), percent(0)
        ('1.23 %', '< 0.01 %', '0 %')
    """
    if 0 < share < 5e-5:
        return "< 0.01 %"
    return f"{100 * share:.2f} %" if share else "0 %"


def whole(value: float) -> str:
    """Return a whole number with thin spaces between thousands."""
    return f"{round(value):,}".replace(",", "\u202f")


def duration(seconds: float) -> str:
    """Return a time as people say it.

    Example:
        >>> duration(4.21), duration(172), duration(7500)
        ('4.2 s', '2 min 52 s', '2 h 5 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
