import keras
import numpy as np
import pytest

from lensnet.errors import RunError
from lensnet.training.checkpoint import restore_checkpoint, save_checkpoint


def model(units=4):
    image = keras.Input((3,))
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(units)(image))
    made = keras.Model(image, keras.layers.Dense(1)(x))
    made.compile("adam", "mse", jit_compile=False)
    return made


def data():
    rng = np.random.default_rng(0)
    return rng.random((8, 3), "float32"), rng.random((8, 1), "float32")


def test_training_goes_on_as_if_never_stopped(tmp_path):
    """With the same losses, batch by batch, and the same weights, bit for bit."""
    keras.utils.set_random_seed(0)
    one = model()
    one.train_on_batch(*data())
    save_checkpoint(tmp_path / "last.npz", one, {"epoch": 1})
    other = model()
    assert restore_checkpoint(tmp_path / "last.npz", other).state == {"epoch": 1}
    # The loss that Keras returns is a mean over the batches since the metrics began.
    for each in (one, other):
        each.reset_metrics()
    losses = [[float(each.train_on_batch(*data())) for _ in range(3)] for each in (one, other)]
    assert losses[0] == losses[1]
    assert len(set(losses[0])) == 3, "dropout and training go on"
    for mine, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_checkpoint_of_another_model(tmp_path):
    save_checkpoint(tmp_path / "last.npz", model(4), {})
    with pytest.raises(RunError, match="belongs to another model"):
        restore_checkpoint(tmp_path / "last.npz", model(5))


def test_writing_fails_halfway(tmp_path, monkeypatch):
    """The checkpoint from before is still there, whole."""
    one = model()
    save_checkpoint(tmp_path / "last.npz", one, {"epoch": 1})
    before = (tmp_path / "last.npz").read_bytes()

    def half(path, **arrays):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path / "last.npz", one, {"epoch": 2})
    assert (tmp_path / "last.npz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["last.npz"]
