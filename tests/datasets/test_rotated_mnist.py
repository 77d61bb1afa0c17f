"""Each digit is rotated by an angle of its own, and lies where the seed says."""

import numpy as np
import pytest
from scipy import ndimage

from lensnet.data import prepare
from lensnet.datasets.rotated_mnist.options import Options
from lensnet.datasets.rotated_mnist.rotated_digits import RotatedDigitsSource
from lensnet.errors import DataError

COUNTS = {"train": 60, "validation": 20, "test": 90}


@pytest.fixture
def digits():
    """(200, 28, 28) uint8 that tell which they are, and their labels."""
    random = np.random.default_rng(0)
    images = np.zeros((200, 28, 28), np.uint8)
    images[:, 6:22, 6:22] = random.integers(0, 256, (200, 16, 16))
    return images, np.arange(200) % 10


@pytest.fixture
def archive(tmp_path, digits):
    images, labels = digits
    np.savez(
        tmp_path / "mnist.npz",
        x_train=images[:150],
        y_train=labels[:150].astype(np.uint8),
        x_test=images[150:],
        y_test=labels[150:].astype(np.uint8),
    )
    return tmp_path / "mnist.npz"


def test_every_digit_is_rotated(archive, digits, make_experiment, read_back):
    made = make_experiment(
        "rotated_mnist", "classification", source_dir=archive, options=dict(COUNTS)
    )
    data = prepare(made)
    assert data.classes == tuple("0123456789") and data.native_shape == (28, 28, 1)
    assert {split: sum(data.counts(split).values()) for split in COUNTS} == COUNTS
    records = read_back(data)
    numbers, angles = [], []
    for name, record in records.items():
        number = int(name.removeprefix("mnist/"))
        angle = record.metadata["angle_degrees"]
        digit = digits[0][number].astype(np.float32)
        rotated = ndimage.rotate(digit, angle, reshape=False, order=1)
        np.testing.assert_array_equal(record.image[..., 0], rotated)
        assert record.value == str(number % 10)
        numbers.append(number)
        angles.append(angle)
    # Both parts of MNIST are drawn from, and angles of all quarters.
    assert min(numbers) < 150 <= max(numbers) and len(set(numbers)) == 170
    assert np.histogram(angles, 4, (0, 360))[0].min() > 20


def test_the_seed_of_the_experiment_changes_nothing(archive, make_experiment):
    options = dict(COUNTS)
    one, other = (
        prepare(
            make_experiment(
                "rotated_mnist",
                "classification",
                source_dir=source,
                network_seed=seed,
                options=options,
            )
        )
        for seed, source in ((0, archive), (1, archive.parent))
    )
    assert one.directory == other.directory


def test_another_draw_is_another_data_set(archive):
    def drawn(seed):
        source = RotatedDigitsSource(archive, Options(**COUNTS, draw_seed=seed))
        training = [e.id for e in source.list().examples if e.split == "train"]
        return training, source.angle_degrees(7)

    assert drawn(1) == drawn(1)
    (one, one_angle), (other, other_angle) = drawn(1), drawn(2)
    assert set(one) != set(other) and one_angle != other_angle


def test_angles_and_order_have_nothing_to_do_with_each_other(archive):
    source = RotatedDigitsSource(archive, Options(**COUNTS))
    numbers = [int(e.id.removeprefix("mnist/")) for e in source.list().examples]
    angles = [source.angle_degrees(number) for number in numbers]
    # Of 170 pairs without correlation, one in 10,000 sets exceeds 0.3.
    assert abs(np.corrcoef(np.arange(170), angles)[0, 1]) < 0.3


def test_too_few_images(archive, make_experiment):
    with pytest.raises(DataError, match=r"holds 200 images, and data.options asks for 62000"):
        prepare(make_experiment("rotated_mnist", "classification", source_dir=archive))


@pytest.mark.parametrize(
    "content",
    [
        {"x_train": np.zeros((3, 28, 28))},
        {
            "x_train": np.zeros((3, 28, 28)),
            "x_test": np.zeros((3, 28, 28)),
            "y_train": np.zeros(3, int),
            "y_test": np.full(3, 10),
        },
        {
            "x_train": np.zeros((3, 28)),
            "x_test": np.zeros((3, 28)),
            "y_train": np.zeros(3, int),
            "y_test": np.zeros(3, int),
        },
    ],
    ids=["keys", "labels", "shape"],
)
def test_an_archive_of_something_else(archive, make_experiment, content):
    np.savez(archive, **content)
    with pytest.raises(DataError, match=r"is not MNIST|holds labels|holds images"):
        prepare(make_experiment("rotated_mnist", "classification", source_dir=archive))


def test_no_archive(tmp_path, make_experiment):
    with pytest.raises(DataError, match=r"no file .*mnist.npz"):
        make_experiment("rotated_mnist", "classification", source_dir=tmp_path)
    (tmp_path / "mnist.npz").write_bytes(b"PK no archive")
    with pytest.raises(DataError, match="is not MNIST"):
        prepare(make_experiment("rotated_mnist", "classification", source_dir=tmp_path))
