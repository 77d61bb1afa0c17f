"""How much a model's answer changes when its images are rotated.

A lens has no preferred orientation, so any change is an error of the model. Two numbers say how
large it is: `rotation_std`, the spread of the scores, and `rotation_flip_rate`, the share of
images whose predicted class changes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lensnet.evaluation.checks import RANGE_TOLERANCE, SUM_TOLERANCE
from lensnet.evaluation.image_rotation import angles_of, check_size, rotated_images

FloatArray = NDArray[np.float64]
Model = Callable[[Any], Any]
Progress = Callable[[int, int], object]


@dataclass(frozen=True, eq=False)
class Invariance:
    """The answers of a model to the same images under every rotation.

    Attributes:
        rotation_std: Standard deviation across the rotations, averaged over images and classes.
            A fraction for probabilities; in units of `target_std` for regression.
        rotation_flip_rate: Share of images whose predicted class changes under some rotation;
            None for regression.
        angles: Angles in degrees, counterclockwise, shape (R,); the first is 0.
        mean_change: Mean absolute change against the unrotated image at each angle, over images
            and classes, shape (R,), in the unit of `rotation_std`.
        outputs: What the model gave, shape (R, N, K): probabilities, or predictions in the
            target's unit.
        target_std: The target's standard deviation, shape (K,), for regression; else None.

    Example:
        >>> import numpy as np
        >>> images = np.ones((8, 6, 6, 1), np.float32)
        >>> report = rotation_report(lambda x: x.mean(axis=(1, 2)), images)
        >>> report.is_constant, report.metrics()
        (True, {'rotation_std': 0.0, 'rotation_flip_rate': 0.0})
    """

    rotation_std: float
    rotation_flip_rate: float | None
    angles: FloatArray
    mean_change: FloatArray
    outputs: FloatArray
    target_std: FloatArray | None = None

    @property
    def is_constant(self) -> bool:
        """Whether all images have one answer, to 1e-5 of the unit, whichever way they are rotated.

        A model that tells no images apart is steady, too: its `rotation_std` is not a merit.
        """
        unit = 1.0 if self.target_std is None else self.target_std
        return bool(np.all(np.ptp(self.outputs, axis=(0, 1)) <= 1e-5 * unit))

    @property
    def rms_change(self) -> FloatArray:
        """Root mean square change against the unrotated image at each angle, (R,)."""
        return np.sqrt(np.mean(self._change() ** 2, axis=(1, 2)))

    def _change(self) -> FloatArray:
        scale = 1.0 if self.target_std is None else self.target_std
        return (self.outputs - self.outputs[0]) / scale

    def truth_by_angle(self, labels: ArrayLike) -> dict[str, list[float]]:
        """Return how right the answers are at each angle.

        Args:
            labels: class indices, or targets of a regression, shape (N,).

        Returns:
            `accuracy` of classes, `rmse` of a regression in the target's unit; R numbers.
        """
        truth = np.asarray(labels)
        if self.target_std is None:
            return {"accuracy": np.mean(_predicted(self.outputs) == truth, axis=1).tolist()}
        errors = self.outputs - truth.reshape(len(truth), -1)
        return {"rmse": np.sqrt(np.mean(errors**2, axis=(1, 2))).tolist()}

    def against(self, others: Invariance) -> Invariance:
        """Return how the answers to the images as they are differ from answers to other versions.

        Args:
            others: what the same model gave for other versions of the same images, such as
                reflected ones; its first angle is none of these images as they are.
        """
        outputs = np.concatenate([self.outputs[:1], others.outputs])
        angles = np.concatenate([self.angles[:1], others.angles])
        return _invariance(outputs, angles, self.target_std)

    def per_image(self) -> dict[str, FloatArray]:
        """Return each image's share in the two numbers, whose means they are: (N,)."""
        found = {"rotation_std": self._change().std(axis=0).mean(axis=1)}
        if self.rotation_flip_rate is not None:
            found["rotation_flip_rate"] = self.changes_class().any(axis=0).astype(np.float64)
        return found

    def changes_class(self) -> NDArray[np.bool_]:
        """Return whether the class is another than that of the unrotated image: (R, N)."""
        return _predicted(self.outputs) != _predicted(self.outputs)[0]

    def metrics(self) -> dict[str, float]:
        """Return the two numbers as `metrics.json` holds them, a flip rate where there is one."""
        metrics = {"rotation_std": self.rotation_std}
        if self.rotation_flip_rate is not None:
            metrics["rotation_flip_rate"] = self.rotation_flip_rate
        return metrics


def rotation_std(
    model: Model,
    images: Any,
    rotations: int = 4,
    *,
    batch_size: int = 64,
    target_std: ArrayLike | None = None,
    columns: int | None = None,
    progress: Progress | None = None,
) -> float:
    """Return by how much a model's scores spread when its images are rotated.

    Over the images, the mean over images and classes of the standard deviation (population,
    divided by the number of rotations) of the predicted probability across the rotations; for
    regression, of the prediction in units of the target's standard deviation. 0.04 means that
    scores move by four percentage points.

    Arguments, errors and the treatment of angles are those of `rotation_report`, which gives the
    answers at each angle as well.

    Example:
        >>> import numpy as np
        >>> images = np.random.default_rng(0).uniform(size=(8, 6, 6, 1)).astype(np.float32)
        >>> rotation_std(lambda x: x.mean(axis=(1, 2)), images) < 1e-6
        True
        >>> rotation_std(lambda x: x[:, 0, 0], images) > 0.1  # looks at one corner alone
        True
    """
    return rotation_report(
        model,
        images,
        rotations,
        batch_size=batch_size,
        target_std=target_std,
        columns=columns,
        progress=progress,
    ).rotation_std


def rotation_report(
    model: Model,
    images: Any,
    rotations: int = 4,
    *,
    batch_size: int = 64,
    target_std: ArrayLike | None = None,
    columns: int | None = None,
    progress: Progress | None = None,
) -> Invariance:
    """Put the images to a model under each rotation and measure how its answers change.

    The angles are 360 / rotations * k. With 2 or 4 rotations whole images are rotated, exactly.
    With any other number some angles need interpolation: images are then rotated bilinearly
    inside their inscribed disk, and at every angle, 0 included, the pixels outside it are set to
    the median they have in the unrotated image (of each image and channel), so that lost corners
    do not count as a change. Interpolation smooths pixel noise at the angles that are not multiples
    of 90 degrees, and a model that reacts to this is charged for it: compare models at the same
    number of rotations.

    Only one batch of images is rotated at a time; what is kept is (rotations, N, K) answers.

    Args:
        model: A `keras.Model` or any callable, from float32 images (B, H, W, C), prepared as the
            model takes them, to probabilities (B, K) that sum to one, to the probability of
            class 1 (B,) or (B, 1), or, if `target_std` is given, to predictions (B,) or (B, T).
        images: Array or memory map of shape (N, H, W, C).
        rotations: Number of rotations, at least 2. If 4 divides it, images must be square.
        batch_size: Images given to the model at once.
        target_std: For regression: standard deviation of the test targets, one number or shape
            (T,), in the unit of the predictions.
        columns: How many columns of an answer to measure, from the first on; None for all. 1 for
            predictions that come with their sigma.
        progress: Called as `progress(done, total)` after each batch and angle, in images rotated.

    Raises:
        ValueError: `images` is not an array (N, H, W, C), there is none, they are not square
            where a rotation by 90 degrees is asked for; `rotations` or `batch_size` is too small;
            `target_std` is not positive; the model's answers are not finite, have the wrong
            shape, or are not probabilities though `target_std` is not given.

    Example:
        >>> import numpy as np
        >>> images = np.random.default_rng(0).uniform(size=(8, 6, 6, 1)).astype(np.float32)
        >>> report = rotation_report(lambda x: x.mean(axis=(1, 2)), images, rotations=4)
        >>> report.angles
        array([  0.,  90., 180., 270.])
        >>> report.rotation_flip_rate, report.outputs.shape
        (0.0, (4, 8, 1))
    """
    angles = angles_of(rotations)
    number = _check_images(images, rotations)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, but is {batch_size}")
    answer = _inference(model, images.shape[1:])
    outputs: FloatArray | None = None
    scale: FloatArray | None = None
    done = 0
    for start in range(0, number, batch_size):
        stop = min(start + batch_size, number)
        batch = np.asarray(images[start:stop], dtype=np.float32)
        for index, rotated in enumerate(rotated_images(batch, len(angles))):
            given = _as_columns(answer(rotated), stop - start, float(angles[index]))
            given = given[:, :columns]
            if target_std is None:
                _check_probabilities(given)
            if outputs is None:
                outputs = np.empty((len(angles), number, given.shape[1]))
                scale = _target_scale(target_std, given.shape[1])
            outputs[index, start:stop] = given
            done += stop - start
            if progress is not None:
                progress(done, len(angles) * number)
    if outputs is None:
        raise ValueError("images must hold at least one image, but none came")
    return _invariance(outputs, angles, scale)


def _invariance(outputs: FloatArray, angles: FloatArray, scale: FloatArray | None) -> Invariance:
    # Against the unrotated image first: equal answers then have a spread of exactly zero.
    change = (outputs - outputs[0]) / (1.0 if scale is None else scale)
    return Invariance(
        rotation_std=float(change.std(axis=0).mean()),
        rotation_flip_rate=_flip_rate(outputs) if scale is None else None,
        angles=angles,
        mean_change=np.abs(change).mean(axis=(1, 2)),
        outputs=outputs,
        target_std=scale,
    )


def _flip_rate(outputs: FloatArray) -> float:
    predicted = _predicted(outputs)
    return float((predicted != predicted[0]).any(axis=0).mean())


def _predicted(outputs: FloatArray) -> NDArray[np.int64]:
    """Return the predicted classes, (R, N)."""
    if outputs.shape[2] == 1:
        return (outputs[..., 0] > 0.5).astype(np.int64)
    return outputs.argmax(axis=2)


def _check_images(images: Any, rotations: int) -> int:
    """Return the number of images."""
    shape = tuple(getattr(images, "shape", ()))
    if len(shape) != 4:
        came = f"shape {shape}" if shape else type(images).__name__
        raise ValueError(f"images must be an array of shape (N, H, W, C), but came as {came}")
    number, height, width, channels = shape
    if not channels or not height or not width:
        raise ValueError(f"images must have pixels and channels, but came with shape {shape}")
    check_size(height, width, rotations)
    return int(number)


def _target_scale(target_std: ArrayLike | None, targets: int) -> FloatArray | None:
    """Return the standard deviation of each target, shape (T,), for regression."""
    if target_std is None:
        return None
    scale = np.asarray(target_std, dtype=np.float64)
    if scale.shape not in ((), (1,), (targets,)) or not (np.isfinite(scale) & (scale > 0)).all():
        raise ValueError(
            "target_std must be the positive standard deviation of the test targets, one number "
            f"or one a target (here {targets}), but is {target_std!r}"
        )
    return np.broadcast_to(scale, (targets,)).copy()


def _as_columns(given: Any, number: int, angle: float) -> FloatArray:
    """Return a model's answer as (B, K) float64, or say what is wrong with it."""
    try:
        array = np.asarray(given).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the model must give one array of numbers, but gave {type(given).__name__}"
        ) from error
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[0] != number or not array.shape[1]:
        raise ValueError(
            f"the model must give shape ({number},) or ({number}, K) for {number} images, but "
            f"gave {array.shape}"
        )
    bad = int((~np.isfinite(array)).any(axis=1).sum())
    if bad:
        raise ValueError(
            f"the model's output is not finite (NaN or infinite) for {bad} of {number} images "
            f"rotated by {angle:g} degrees; check the images and the weights"
        )
    return array


def _check_probabilities(given: FloatArray) -> None:
    hint = "give a model that ends in a sigmoid or softmax, or target_std if it predicts a quantity"
    if given.min() < -RANGE_TOLERANCE or given.max() > 1 + RANGE_TOLERANCE:
        raise ValueError(
            f"the model's outputs lie in [{given.min():.4g}, {given.max():.4g}] and are not "
            f"probabilities: {hint}"
        )
    sums = given.sum(axis=1)
    if given.shape[1] > 1 and np.abs(sums - 1).max() > SUM_TOLERANCE:
        raise ValueError(
            f"the model's outputs sum to {sums.min():.4g}..{sums.max():.4g} over the classes "
            f"and are not probabilities: {hint}"
        )


def _inference(model: Model, image_shape: tuple[int, ...]) -> Callable[[NDArray[np.float32]], Any]:
    """Return the model as a function of NumPy images, in inference mode if it is Keras's."""
    keras = sys.modules.get("keras")
    if keras is None or not isinstance(model, keras.Model):
        return model
    if keras.backend.backend() != "tensorflow":
        return lambda images: model.predict_on_batch(images)
    import tensorflow as tf  # type: ignore[import-untyped]

    # A graph takes 0.55 of the time of eager calls (a small ResNet, 65 px, batch 64, two CPU
    # cores); predict_on_batch would compile an uncompiled model with XLA, far slower on a CPU.
    batch = tf.TensorSpec((None, *image_shape), tf.float32)
    graph = tf.function(
        lambda images: model(images, training=False), input_signature=[batch], jit_compile=False
    )
    return lambda images: graph(tf.constant(images))
