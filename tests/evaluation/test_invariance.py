"""The spread of scores under rotation: zero where it must be, known where it can be computed."""

import numpy as np
import pytest

from lensnet.evaluation import Invariance, rotation_report, rotation_std

warnings_are_errors = pytest.mark.filterwarnings("error")


def noise(number=10, size=8, channels=1):
    rng = np.random.default_rng(0)
    return rng.uniform(size=(number, size, size, channels)).astype(np.float32)


def corner(images):
    """Looks at the upper left pixel alone: as far from invariant as a model can be."""
    return images[:, 0, 0, :1]


def mean(images):
    return images.mean(axis=(1, 2, 3))


def corners_of(images):
    """The pixels that come to the upper left corner at 0, 90, 180 and 270 degrees."""
    return np.stack([images[:, 0, 0], images[:, 0, -1], images[:, -1, -1], images[:, -1, 0]])


@warnings_are_errors
def test_invariant_model_has_no_spread():
    report = rotation_report(mean, noise(), 4)
    # The sum over pixels runs in another order at each angle: float32 round-off.
    assert report.rotation_std < 1e-7
    assert report.rotation_flip_rate == 0
    # A model whose answer is the same to the last bit has a spread of exactly zero.
    assert rotation_std(lambda images: np.full(len(images), 0.3), noise(), 4) == 0.0


@warnings_are_errors
def test_known_spread_of_a_model_that_is_not_invariant():
    images = noise()
    values = corners_of(images)[..., 0].astype(np.float64)
    report = rotation_report(corner, images, 4)
    assert report.rotation_std == pytest.approx(values.std(axis=0).mean(), rel=1e-12)
    assert report.rotation_std > 0.1
    flips = [len(set(column > 0.5)) > 1 for column in values.T]
    assert report.rotation_flip_rate == pytest.approx(np.mean(flips))
    np.testing.assert_allclose(report.outputs[:, :, 0], values)
    np.testing.assert_allclose(report.mean_change, np.abs(values - values[0]).mean(axis=1))


@warnings_are_errors
def test_one_image_by_hand():
    image = np.zeros((1, 4, 4, 1), np.float32)
    image[0, 0, 0] = 1.0  # seen at 0 degrees and never again
    report = rotation_report(corner, image, 4)
    # Scores 1, 0, 0, 0: mean 1/4, variance 3/16.
    assert report.rotation_std == pytest.approx(np.sqrt(3) / 4)
    assert report.rotation_flip_rate == 1.0
    assert report.mean_change.tolist() == [0, 1, 1, 1]


@warnings_are_errors
def test_spread_of_two_columns_equals_that_of_one():
    """The spread of p is that of 1 - p, so a sigmoid and a softmax over two agree."""
    both = rotation_report(lambda x: np.concatenate([1 - corner(x), corner(x)], 1), noise(), 4)
    one = rotation_report(corner, noise(), 4)
    assert both.rotation_std == pytest.approx(one.rotation_std, rel=1e-6)
    assert both.rotation_flip_rate == one.rotation_flip_rate
    assert both.outputs.shape == (4, 10, 2)


@warnings_are_errors
def test_mean_over_classes():
    """Three classes of which one never moves: two thirds of the spread of the other two."""

    def model(images):
        p = corner(images) * 0.8
        return np.concatenate([np.full_like(p, 0.2), p, 0.8 - p], 1)

    one = rotation_std(lambda images: corner(images) * 0.8, noise())
    assert rotation_std(model, noise()) == pytest.approx(2 / 3 * one, rel=1e-6)


@warnings_are_errors
def test_regression_is_in_units_of_the_targets_spread():
    images = noise()
    values = corners_of(images)[..., 0].astype(np.float64)
    report = rotation_report(lambda x: 100 * corner(x), images, target_std=5.0)
    assert report.rotation_std == pytest.approx(20 * values.std(axis=0).mean(), rel=1e-6)
    assert report.rotation_flip_rate is None
    assert report.metrics() == {"rotation_std": report.rotation_std}


@warnings_are_errors
def test_regression_of_several_targets():
    def model(images):
        return np.concatenate([corner(images), 10 * corner(images)], 1)

    alone = rotation_std(corner, noise(), target_std=1.0)
    assert rotation_std(model, noise(), target_std=[1.0, 10.0]) == pytest.approx(alone, rel=1e-6)
    with pytest.raises(ValueError, match="here 2"):
        rotation_std(model, noise(), target_std=[1.0, 2.0, 3.0])


@warnings_are_errors
@pytest.mark.parametrize("rotations", [3, 8])
def test_lost_corners_are_not_a_change(rotations):
    """Outside the disk nothing moves; an unmasked corner would turn in and out of the image."""
    images = noise()
    assert rotation_std(corner, images, rotations) == 0.0
    assert rotation_std(corner, images, 4) > 0.1


@warnings_are_errors
def test_finer_angles_see_what_right_angles_miss():
    """A model with the symmetry of a square passes at 4 rotations and fails at 8."""

    def cross(images):
        middle = images.shape[1] // 2
        return (images[:, middle].mean(axis=1) + images[:, :, middle].mean(axis=1)) / 2

    images = np.zeros((1, 9, 9, 1), np.float32)
    images[:, 4] = images[:, :, 4] = 1.0
    assert rotation_std(cross, images, 4) < 1e-6
    assert rotation_std(cross, images, 8) > 0.1


@warnings_are_errors
def test_round_image_does_not_change_at_any_angle():
    y, x = np.mgrid[:33, :33] - 16.0
    images = np.exp(-(y**2 + x**2) / 72)[None, :, :, None].astype(np.float32)
    # What is left is the error of bilinear interpolation, curvature / 8: 1 / 36 / 8 at the peak.
    assert rotation_std(lambda x: x[:, 16, 22, :], images, 16) < 2e-3


@warnings_are_errors
@pytest.mark.parametrize("rotations", [4, 6])
def test_batches_are_bounded_and_do_not_matter(rotations):
    images = noise(11) if rotations == 4 else noise(11, size=9)
    seen, steps = [], []

    def model(batch):
        seen.append((batch.shape, batch.dtype))
        return corner(batch)

    whole = rotation_report(model, images, rotations, batch_size=100)
    seen.clear()
    parts = rotation_report(
        model, images, rotations, batch_size=4, progress=lambda done, total: steps.append(done)
    )
    np.testing.assert_array_equal(whole.outputs, parts.outputs)
    assert max(shape[0] for shape, _ in seen) == 4
    assert {dtype for _, dtype in seen} == {np.dtype(np.float32)}
    assert steps == sorted(steps) and steps[-1] == 11 * rotations


@warnings_are_errors
def test_images_of_integers_and_memory_maps(tmp_path):
    images = (noise() * 255).astype(np.uint8)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert rotation_std(lambda x: corner(x) / 255, mapped) == pytest.approx(
        rotation_std(lambda x: corner(x) / 255, images)
    )


@warnings_are_errors
@pytest.mark.parametrize(
    ("model", "options", "is_constant"),
    [
        (lambda x: np.full((len(x), 1), 0.3), {}, True),
        (lambda x: 0.3 + 1e-7 * x.mean(axis=(1, 2)), {}, True),
        (lambda x: 0.3 + 1e-3 * x.mean(axis=(1, 2)), {}, False),
        # Of a target whose values are large and alike.
        (lambda x: 1e6 + x.mean(axis=(1, 2)), {"target_std": 1.0}, False),
        (lambda x: 1e6 + 1e-7 * x.mean(axis=(1, 2)), {"target_std": 1.0}, True),
    ],
)
def test_a_model_that_tells_nothing_apart(model, options, is_constant):
    images = np.random.default_rng(0).uniform(size=(8, 6, 6, 1))
    report = rotation_report(model, images, **options)
    assert report.rotation_std < 1e-5
    assert report.is_constant is is_constant


def test_report_is_a_value():
    report = rotation_report(corner, noise(), 4)
    assert isinstance(report, Invariance)
    assert set(report.metrics()) == {"rotation_std", "rotation_flip_rate"}
    with pytest.raises(AttributeError):
        report.rotation_std = 0.0


@warnings_are_errors
@pytest.mark.parametrize(
    ("model", "images", "options", "message"),
    [
        (corner, np.zeros((2, 8, 9, 1)), {}, "90 degrees"),
        (corner, np.zeros((8, 8, 1)), {}, r"\(N, H, W, C\)"),
        (corner, [1, 2], {}, "list"),
        (corner, np.zeros((0, 8, 8, 1)), {}, "at least one image"),
        (corner, noise(), {"rotations": 1}, "at least 2"),
        (corner, noise(), {"batch_size": 0}, "batch_size"),
        (corner, noise(), {"target_std": 0.0}, "positive"),
        (corner, noise(), {"target_std": np.nan}, "positive"),
        (lambda x: corner(x) * np.nan, noise(), {}, "not finite"),
        (lambda x: corner(x) + 3, noise(), {}, "sigmoid or softmax"),
        (lambda x: np.repeat(corner(x), 2, 1), noise(), {}, "sum to"),
        (lambda x: x, noise(), {}, r"\(10, K\)"),
        (lambda x: corner(x)[:3], noise(), {}, r"gave \(3, 1\)"),
        (lambda x: {"a": corner(x)}, noise(), {}, "gave dict"),
    ],
)
def test_bad_input(model, images, options, message):
    with pytest.raises(ValueError, match=message):
        rotation_report(model, images, **options)


def test_keras_model_in_inference_mode():
    """Dropout must be off, and a last batch of another size must not matter."""
    keras = pytest.importorskip("keras")
    inputs = keras.Input((8, 8, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    dropped = keras.layers.Dropout(0.5)(pooled)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(dropped))
    images = noise(7)
    report = rotation_report(model, images, 4, batch_size=4)
    assert report.rotation_std < 1e-6
    kernel, bias = (np.asarray(weight) for weight in model.get_weights())
    logits = images.mean(axis=(1, 2)) @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(report.outputs[0], expected, atol=1e-6)


def test_the_sigma_of_a_prediction_is_not_measured():
    """A column that changes with the rotation, beside a prediction that does not."""
    images = np.random.default_rng(0).uniform(size=(6, 8, 8, 1)).astype(np.float32)

    def model(x):
        return np.stack([x.mean(axis=(1, 2, 3)), x[:, 0, 0, 0]], axis=1)

    report = rotation_report(model, images, target_std=0.1, columns=1)
    assert report.rotation_std < 1e-5 and report.outputs.shape == (4, 6, 1)
    assert rotation_report(model, images, target_std=0.1).rotation_std > 0.1
