"""Figures: written as whole PNG files, labelled axes, no warning, whatever the data."""

import struct

import numpy as np
import pytest
from matplotlib.text import Text

from lensnet.evaluation import rotation_report
from lensnet.evaluation.figures import (
    completeness_by_truth,
    confusion_matrix,
    display_image,
    example_gallery,
    found_in_top,
    interval_coverage,
    precision_recall,
    pull_histogram,
    purity_completeness,
    regression_scatter,
    reliability_diagram,
    residual_histogram,
    roc_curve,
    rotation_accuracy,
    rotation_profile,
    rotation_worst,
    save,
    score_histogram,
    training_curves,
)

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.usefixtures("laid_out")]

AWKWARD = [
    "_begins with an underscore",
    "costs $5 or $x^{2$",
    "a very long name of a class that goes on and on until no legend has room for it",
    "two\nlines\tand a tab",
    "<script>",
    "",
    "100 %",
]


def examples(num_classes, number=120):
    """Labels and probabilities; (N,) of class 1 for one class too few to be several."""
    rng = np.random.default_rng(num_classes)
    if num_classes == 1:
        labels = rng.integers(0, 2, number)
        return labels, np.clip(0.3 * labels + rng.uniform(0, 0.7, number), 0, 1)
    labels = rng.integers(0, num_classes, number)
    probabilities = rng.dirichlet(np.ones(num_classes), number)
    return labels, probabilities


def names(number):
    return (AWKWARD * 3)[:number]


def size_of(path):
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert content[-8:-4] == b"IEND"
    return struct.unpack(">II", content[16:24])


def labelled(figure):
    return [axes for axes in figure.axes if axes.get_xlabel() and axes.get_ylabel()]


@pytest.mark.parametrize("num_classes", [1, 20])
@pytest.mark.parametrize("draw", [roc_curve, confusion_matrix, score_histogram])
def test_class_figures(draw, num_classes, tmp_path):
    labels, probabilities = examples(num_classes)
    figure = draw(labels, probabilities, names(max(num_classes, 2)))
    assert labelled(figure)
    width, height = size_of(save(figure, tmp_path / "figure.png", dpi=60))
    assert 200 < width < 1500 and 150 < height < 1500


@pytest.mark.parametrize("num_classes", [1, 4])
def test_reliability_diagram(num_classes, tmp_path):
    figure = reliability_diagram(*examples(num_classes))
    top, bottom = figure.axes
    assert top.get_ylabel() and bottom.get_xlabel() and bottom.get_ylabel()
    save(figure, tmp_path / "figure.png", dpi=60)


@pytest.mark.parametrize(
    "draw", [roc_curve, confusion_matrix, score_histogram, reliability_diagram]
)
@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [([0, 0], [1.0, 1.0]), ([2], [[0.2, 0.3, 0.5]])],
)
def test_all_of_one_class(draw, labels, probabilities, tmp_path):
    figure = draw(labels, probabilities)
    save(figure, tmp_path / "figure.png", dpi=60)
    notes = [text.get_text() for axes in figure.axes for text in axes.texts]
    says_so = any("All examples are of one class" in note for note in notes)
    assert labelled(figure) and says_so is (draw is roc_curve)


def test_roc_curve_tells_the_area():
    figure = roc_curve([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], ["galaxy", "lens"])
    assert "0.7500" in figure.axes[0].get_title(loc="left")
    texts = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert texts == ["TPR0 = 0.500"]  # with two non-lenses there is no tenth false positive


def test_roc_legend_keeps_every_class():
    """matplotlib drops legend entries that begin with an underscore, and parses dollar signs."""
    labels, probabilities = examples(7)
    figure = roc_curve(labels, probabilities, AWKWARD)
    texts = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert len(texts) == 7
    assert "_begins" in texts[0] and len(texts[2]) < 45


def test_confusion_matrix_counts():
    figure = confusion_matrix([0, 0, 0, 1], [0.1, 0.6, 0.2, 0.9], ["galaxy", "lens"])
    cells = [text.get_text() for text in figure.axes[0].texts]
    assert cells == ["2\n66.7 %", "1\n33.3 %", "0\n0.0 %", "1\n100.0 %"]


def test_no_examples_or_wrong_names_are_refused():
    with pytest.raises(ValueError, match="at least one example"):
        roc_curve(np.zeros(0, int), np.zeros(0))
    with pytest.raises(ValueError, match="expected 2 class names, but 3 came"):
        confusion_matrix([0, 1], [0.2, 0.8], ["a", "b", "c"])


# --- training -------------------------------------------------------------------------------------


def marked_epochs(figure):
    labels = [line.get_label() for line in figure.axes[0].get_lines()]
    return [label for label in labels if label.startswith("best epoch")]


def test_training_curves_from_columns_and_from_rows_are_the_same():
    columns = {
        "epoch": [1, 2, 3],
        "loss": [1.0, 0.5, 0.4],
        "val_loss": [1.1, 0.6, 0.8],
        "accuracy": [0.5, 0.7, 0.8],
        "val_accuracy": [0.4, 0.6, 0.7],
        "learning_rate": [0.1, 0.1, 0.1],
    }
    rows = [{name: str(values[epoch]) for name, values in columns.items()} for epoch in range(3)]
    for history in (columns, rows):
        figure = training_curves(history)
        assert [axes.get_ylabel() for axes in figure.axes] == ["Loss", "Accuracy"]
        assert len(labelled(figure)) == 2
        assert marked_epochs(figure) == ["best epoch (2)"]
    assert marked_epochs(training_curves(columns, monitor="val_accuracy")) == ["best epoch (3)"]
    assert marked_epochs(training_curves(columns, best_epoch=1)) == ["best epoch (1)"]


def test_training_curves_of_one_epoch_and_with_gaps(tmp_path):
    save(training_curves({"loss": [0.5]}), tmp_path / "one.png", dpi=60)
    broken = [{"loss": "1.0", "val_loss": ""}, {"loss": "nan", "val_loss": "0.4"}, {"loss": "0.3"}]
    figure = training_curves(broken)
    assert marked_epochs(figure) == ["best epoch (2)"]
    save(figure, tmp_path / "gaps.png", dpi=60)


def test_training_curves_of_many_metrics_fit():
    history = {name: [0.1, 0.2] for name in "abcdefgh"}
    assert len(training_curves(history).axes) == 8


@pytest.mark.parametrize("history", [{}, [], {"loss": []}, {"a": [1], "b": [1, 2]}, {"epoch": [1]}])
def test_histories_that_hold_nothing(history):
    with pytest.raises(ValueError, match="histor"):
        training_curves(history)


# --- rotation, regression -------------------------------------------------------------------------


@pytest.mark.parametrize("rotations", [4, 8, 72])
@pytest.mark.parametrize("target_std", [None, 0.3])
def test_rotation_profile(rotations, target_std, tmp_path):
    images = np.random.default_rng(0).uniform(size=(6, 9, 9, 1)).astype(np.float32)
    report = rotation_report(lambda x: x[:, 4, 6], images, rotations, target_std=target_std)
    figure = rotation_profile(report)
    (axes,) = labelled(figure)
    assert "degrees" in axes.get_xlabel()
    assert ("deviations" if target_std else "percentage points") in axes.get_ylabel()
    save(figure, tmp_path / "figure.png", dpi=60)


def test_invariant_model_shows_as_a_flat_line():
    images = np.random.default_rng(0).uniform(size=(6, 9, 9, 1)).astype(np.float32)
    figure = rotation_profile(rotation_report(lambda x: x.mean(axis=(1, 2)), images, 4))
    (axes,) = figure.axes
    assert axes.get_ylim() == (-1, 1)  # not round-off blown up to fill the page
    assert "0.00 %" in axes.get_title(loc="left")


@pytest.mark.parametrize("number", [1, 3, 200, 5000])
def test_regression_scatter(number, tmp_path):
    rng = np.random.default_rng(0)
    targets = rng.normal(size=number)
    figure = regression_scatter(targets, targets + 0.1, "log10 mass", "solar masses")
    assert len(labelled(figure)) == 2
    assert figure.axes[0].get_xlabel() == "True log10 mass (solar masses)"
    save(figure, tmp_path / "figure.png", dpi=60)


def test_regression_scatter_of_several_targets_and_of_a_constant(tmp_path):
    figure = regression_scatter(np.ones((30, 2)), np.ones((30, 2)))
    assert len(labelled(figure)) == 4
    save(figure, tmp_path / "figure.png", dpi=60)
    with pytest.raises(ValueError, match="expected 2 target names"):
        regression_scatter(np.ones((3, 2)), np.ones((3, 2)), "one name")


# --- images ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_example_gallery(channels, tmp_path):
    labels, probabilities = examples(3, 40)
    images = np.random.default_rng(0).normal(size=(40, 9, 9, channels))
    images[0] = np.nan
    images[1] = 3.0
    images[2, :3] = np.inf
    figure = example_gallery(images, labels, probabilities, names(3), columns=4)
    save(figure, tmp_path / "figure.png", dpi=60)
    wrong = int((probabilities.argmax(1) != labels).sum())
    assert figure.subfigs[0].get_suptitle() == f"Most confident errors ({wrong} of 40 images)"


def test_gallery_shows_the_most_confident_and_takes_turns_among_classes():
    labels = [0, 0, 0, 1, 0, 0]
    scores = [0.01, 0.02, 0.03, 0.7, 0.9, 0.8]
    images = np.arange(6.0)[:, None, None, None] + np.zeros((6, 3, 3, 1))
    errors, hits = example_gallery(images, labels, scores, ["galaxy", "lens"], columns=3).subfigs
    assert [axes.get_title(loc="left") for axes in errors.axes] == [
        "true: galaxy\ngiven: lens\nscore: 0.900",
        "true: galaxy\ngiven: lens\nscore: 0.800",
        "",
    ]
    # The lens, though less certain than two galaxies, comes after the first of them.
    shown = [axes.get_title(loc="left").splitlines()[0] for axes in hits.axes]
    assert shown == ["true: galaxy", "true: lens", "true: galaxy"]


def test_gallery_without_errors_says_so():
    images = np.zeros((2, 3, 3, 1))
    errors, _ = example_gallery(images, [0, 1], [0.1, 0.9]).subfigs
    assert "no errors" in [text.get_text() for axes in errors.axes for text in axes.texts]
    with pytest.raises(ValueError, match=r"shape \(2, H, W, C\)"):
        example_gallery(images[:1], [0, 1], [0.1, 0.9])


def test_display_image_stretches():
    ramp = np.linspace(0, 1, 400).reshape(20, 20, 1)
    linear, faint = display_image(ramp, "percentile"), display_image(ramp, "asinh")
    assert linear.shape == (20, 20) and linear.min() == 0 and linear.max() == 1
    assert (faint >= linear - 1e-12).all() and faint[5, 0] > linear[5, 0] + 0.2
    assert display_image(np.ones((4, 4, 3))).shape == (4, 4, 3)
    assert display_image(1e-12 * ramp).max() == 1  # calibrated fluxes are tiny
    with pytest.raises(ValueError, match="asinh, percentile"):
        display_image(ramp, "log")
    with pytest.raises(ValueError, match="shape"):
        display_image(np.ones((4, 4)))


def test_pulls_are_drawn_in_units_of_sigma():
    """Half of them within one sigma, and one far beyond the figure, in its outermost bar."""
    figure = pull_histogram([0.0] * 4, [0.5, -0.5, 2.0, 99.0], [1.0] * 4)
    axes = figure.axes[0]
    assert axes.get_title(loc="left").startswith("50% within one sigma")
    heights = [bar.get_height() * bar.get_width() for bar in axes.patches]
    assert sum(heights) == pytest.approx(1) and heights[-1] == pytest.approx(0.25)
    with pytest.raises(ValueError, match="above 0"):
        pull_histogram([0.0], [0.0], [0.0])


@pytest.mark.parametrize("num_classes", [1, 4])
def test_precision_recall(num_classes):
    figure = precision_recall(*examples(num_classes), names(max(num_classes, 2)))
    assert labelled(figure) and "120 images" in figure.axes[0].get_title("left")
    lines = len(figure.axes[0].get_legend().get_lines())
    assert lines == num_classes


def test_precision_recall_of_one_class_says_so():
    figure = precision_recall([1, 1], [0.2, 0.9])
    assert "no curve" in figure.axes[0].texts[0].get_text()


@pytest.mark.parametrize("number", [3, 120])
def test_search_figures(number):
    labels, scores = np.arange(number) % 2, np.linspace(0.2, 0.9, number)
    for figure in (
        found_in_top(labels, scores, AWKWARD[1]),
        purity_completeness(labels, scores, 1e-3, AWKWARD[1]),
    ):
        assert labelled(figure) and f"{number} images" in figure.axes[0].get_title("left")


def test_completeness_against_what_is_known():
    rng = np.random.default_rng(0)
    size = rng.uniform(0.5, 2, 200)
    size[:50] = np.nan
    truth = {"einstein_radius_arcsec": size, "flux": np.ones(200), "source_magnitude": size + 20}
    figure = completeness_by_truth(truth, {"score": size > 1.2}, "Share found")
    # What has one value throughout is not drawn.
    assert [axes.get_xlabel() for axes in figure.axes] == [
        "einstein radius (arcsec)",
        "source magnitude",
    ]
    assert {axes.get_title("left") for axes in figure.axes} == {"150 images"}
    shares = figure.axes[0].lines[0].get_ydata()
    assert shares[0] == 0 and shares[-1] == 1
    with pytest.raises(ValueError, match="no quantity"):
        completeness_by_truth({"flux": np.ones(9)}, {"score": size > 1}, "")


def test_coverage_of_predicted_intervals():
    """A sigma of a third of the errors covers 26 % where it claims 68 % (Phi(1 / 3))."""
    rng = np.random.default_rng(0)
    targets = rng.normal(size=4000)
    guess = targets + rng.normal(size=4000)
    figure = interval_coverage(targets, guess, np.full(4000, 1 / 3))
    nominal, covered = figure.axes[0].lines[1].get_data()
    assert np.interp(0.683, nominal, covered) == pytest.approx(0.261, abs=0.02)
    assert labelled(figure) and "4000 images" in figure.axes[0].get_title("left")


def test_residual_histogram_counts_every_image():
    rng = np.random.default_rng(0)
    errors = rng.standard_cauchy(300)
    figure = residual_histogram(np.zeros(300), errors)
    assert sum(bar.get_height() for bar in figure.axes[0].patches) == 300
    assert labelled(figure)
    # One example, and no error at all.
    residual_histogram([1.0], [2.0])
    residual_histogram([1.0, 2.0], [1.0, 2.0])


def test_worst_images_are_shown_with_their_scores():
    images = np.zeros((6, 8, 8, 1), np.float32)
    images[3, 0, 0] = 1.0  # seen at 0 degrees alone
    report = rotation_report(lambda x: x[:, 0, 0], images, 16 // 4)
    figure = rotation_worst(report, images, [0, 0, 0, 1, 0, 0], ["galaxy", AWKWARD[4]])
    first = [axes.get_title("left") for axes in figure.axes[:4]]
    assert first == ["0°\n<script> 1.00", *(f"{at}°\ngalaxy 1.00" for at in (90, 180, 270))]
    colors = [
        text.get_color()
        for axes in figure.axes[:2]
        for text in axes.findobj(Text)
        if text.get_text() == axes.get_title("left")
    ]
    assert colors[0] != colors[1], "another class than that of the unrotated image"
    accuracy = rotation_accuracy(report, [0, 0, 0, 1, 0, 0]).axes[1].lines[0].get_ydata()
    assert accuracy.tolist() == pytest.approx([1, 5 / 6, 5 / 6, 5 / 6, 1])


def test_rotation_figures_of_a_regression():
    images = np.random.default_rng(0).uniform(size=(5, 8, 8, 1)).astype(np.float32)
    report = rotation_report(lambda x: 9 * x[:, 0, 0], images, target_std=2.0)
    targets = 9 * images[:, 0, 0, 0]
    figure = rotation_accuracy(report, targets)
    assert figure.axes[1].get_ylabel() == "RMSE (the target's unit)"
    assert figure.axes[1].lines[0].get_ydata()[0] == pytest.approx(0, abs=1e-6)
    assert rotation_worst(report, images, targets).axes[0].get_title("left").startswith("0°")
