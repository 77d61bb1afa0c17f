"""Features of models as runs save them, and what lies near what."""

import keras
import numpy as np
import pytest

from lensnet.embedding.feature_model import feature_model
from lensnet.embedding.maps import Sample, principal_components, umap_map
from lensnet.embedding.nearest import Closest, distance_to_kth, distances, unit_length
from lensnet.errors import ConfigurationError
from lensnet.layers import GroupAveraged
from lensnet.models import create
from lensnet.testing import randomize


def network(symmetry):
    model = create(
        "tiny",
        input_shape=(32, 32, 1),
        num_outputs=2,
        symmetry=symmetry,
        width=0.125,
        activation="softmax",
    )
    randomize(model, 1)
    return model


def test_features_do_not_change_when_the_image_rotates():
    x = np.random.default_rng(0).random((3, 32, 32, 1)).astype("float32")
    plain = network("none")
    for model, largest in (
        (network("d4"), 1e-5),
        (GroupAveraged(plain, "c4"), 1e-5),
        (plain, None),
    ):
        features = feature_model(model)
        one = features.predict_on_batch(x)
        other = features.predict_on_batch(np.rot90(x, axes=(1, 2)).copy())
        change = np.abs(one["features"] - other["features"]).max() / np.abs(one["features"]).max()
        assert change < largest if largest else change > 1e-3
        np.testing.assert_allclose(one["outputs"], model.predict_on_batch(x), atol=1e-6)


def test_features_are_what_the_head_is_put_on():
    model = network("none")
    x = np.random.default_rng(0).random((3, 32, 32, 1)).astype("float32")
    features = feature_model(model).predict_on_batch(x)["features"]
    kernel, bias = model.get_layer("head.logits").get_weights()
    logits = features @ kernel + bias
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax, model.predict_on_batch(x), atol=1e-5)


def test_a_model_without_a_pooled_layer_is_refused():
    image = keras.Input((8, 8, 1))
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)), name="mine")
    with pytest.raises(ConfigurationError, match='"mine" has no pooled layer'):
        feature_model(model)


def test_distances_are_those_of_directions():
    rng = np.random.default_rng(0)
    one, others = rng.normal(size=(5, 7)), rng.normal(size=(9, 7))
    expected = np.array(
        [
            [np.linalg.norm(a / np.linalg.norm(a) - b / np.linalg.norm(b)) for b in others]
            for a in one
        ]
    )
    units = unit_length(others)
    np.testing.assert_allclose(distances(unit_length(one), units), expected, atol=1e-9)
    np.testing.assert_allclose(
        distance_to_kth(one, units, 3), np.sort(expected, axis=1)[:, 2], atol=1e-9
    )
    # An image of the reference is no neighbour of its own.
    same = np.eye(9, dtype=bool)
    itself = distance_to_kth(others, units, 1, same)
    assert (itself > 0.01).all() and not distance_to_kth(others, units, 1).any()
    assert distances(unit_length(np.zeros((1, 7))), units).round(6).tolist() == [[1.0] * 9]


def test_the_closest_of_all_are_kept_whatever_the_batches():
    keys = np.random.default_rng(0).random(100)
    keys[7] = np.nan
    closest = Closest(5)
    for part in np.array_split(np.arange(100), 9):
        closest.add(keys[part], part.tolist())
    assert [item for _, item in closest.found] == np.argsort(keys)[:5].tolist()


def test_a_sample_is_as_large_as_asked_and_keeps_rows_together():
    sample = Sample(50)
    for start in range(0, 1000, 40):
        numbers = np.arange(start, start + 40)
        sample.add(numbers[:, None] * 2.0, numbers)
    doubled, numbers = sample.columns()
    assert sample.seen == 1000 and len(numbers) == 50
    assert (doubled[:, 0] == 2 * numbers).all() and (np.diff(numbers) > 0).all()
    assert 300 < numbers.mean() < 700


def test_principal_components_against_the_singular_values():
    x = np.random.default_rng(0).normal(size=(40, 6)) * [5, 3, 1, 1, 1, 1]
    found = principal_components(x)
    centred = x - x.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(found.points, axis=0), values[:2], rtol=1e-6)
    assert f"{100 * values[0] ** 2 / (values**2).sum():.0f} % of the variance" in found.axes[0]
    for bad in (x[:2], x[:, :1], np.ones((5, 3))):
        with pytest.raises(ValueError, match="images"):
            principal_components(bad)


@pytest.mark.slow
def test_umap_keeps_groups_apart():
    pytest.importorskip("umap")
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(40, 8)), rng.normal(20, size=(40, 8))])
    points = umap_map(x).points
    centres = points[:40].mean(axis=0), points[40:].mean(axis=0)
    spread = max(points[:40].std(), points[40:].std())
    assert np.linalg.norm(centres[0] - centres[1]) > spread
