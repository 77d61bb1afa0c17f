"""Images that lie in one array, with labels beside them in any of the usual ways."""

import pickle

import h5py
import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from planned_inputs import read_inputs

from lensnet.config import Experiment
from lensnet.config.problems import problems
from lensnet.data import prepare
from lensnet.data.files import image_stacks
from lensnet.data.sources.splits import SplitPlan
from lensnet.datasets.image_stack.options import Options, inspect
from lensnet.datasets.image_stack.stack_source import StackSource
from lensnet.errors import DataError

COUNT = 30
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 9, 10, 3), dtype=np.uint8)
KINDS = np.arange(COUNT) % 3


def write_hdf5(path, images=IMAGES, **arrays):
    """As Galaxy10 is: many images to a chunk, and numbers beside them."""
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images, chunks=(7, 9, 5, 3), compression="gzip")
        for name, values in arrays.items():
            file[name] = values
    return path


def loaded(source):
    """Each image by its id, and each reason."""
    images, reasons = {}, {}
    for item in source.load(source.list().examples[::-1]):
        if item.error is None:
            images[item.example.id] = item.image
        else:
            reasons[item.error.path] = item.error.reason
    return images, reasons


def test_an_hdf5_file_of_images_and_labels(tmp_path, make_experiment, read_back):
    write_hdf5(tmp_path / "galaxies.h5", ans=KINDS, redshift=np.linspace(0, 1, COUNT))
    data = {
        "options": {"images": "images", "labels": "ans", "classes": ["round", "cigar", "edge-on"]},
        "splits": {"train": 0.4, "validation": 0.3, "test": 0.3},
        "augmentation": ["flip"],
    }
    made = make_experiment("image_stack", "classification", source_dir=tmp_path, **data)
    data = prepare(made)
    assert data.classes == ("round", "cigar", "edge-on") and data.native_shape == (9, 10, 3)
    records = read_back(data)
    assert set(records) == {str(index) for index in range(COUNT)}
    for name, record in records.items():
        np.testing.assert_array_equal(record.image, IMAGES[int(name)])
        assert record.value == data.classes[KINDS[int(name)]]
        assert record.file == f"galaxies.h5[{name}]"


@pytest.mark.parametrize("window", [2**28, 2000, 1])
def test_images_come_in_the_order_asked_for(tmp_path, monkeypatch, window):
    """However little is held at a time."""
    monkeypatch.setattr(image_stacks, "_WINDOW_BYTES", window)
    source = StackSource(write_hdf5(tmp_path / "a.h5", ans=KINDS), Options())
    examples = list(source.list().examples)
    order = np.random.default_rng(1).permutation(COUNT)
    copy = pickle.loads(pickle.dumps(source))  # as for a worker
    for place, item in zip(order, copy.load([examples[i] for i in order]), strict=True):
        np.testing.assert_array_equal(item.image, IMAGES[place])
    assert source.known_shape() == (9, 10, 3)


def test_labels_in_a_file_of_their_own(tmp_path):
    """As patches of slides come: two HDF5 files, of arrays of four axes each."""
    write_hdf5(tmp_path / "x.h5")
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["y"] = KINDS.reshape(-1, 1, 1, 1)
    source = StackSource(tmp_path, Options(images="x.h5", labels="y.h5"))
    assert [int(example.label) for example in source.list().examples] == KINDS.tolist()
    assert loaded(source)[1] == {}


def save(folder, **arrays):
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (KINDS, ("0", "1", "2")),
        (KINDS.astype(float), ("0", "1", "2")),
        (np.eye(3)[KINDS], ("0", "1", "2")),
        (KINDS[:, np.newaxis], ("0", "1", "2")),
        (np.array(["c", "a", "b"])[KINDS], ("a", "b", "c")),
        (np.array([9, 100, 20])[KINDS], ("9", "20", "100")),
    ],
    ids=["integers", "floats", "one-hot", "a column", "words", "by size"],
)
def test_arrays_of_numpy(tmp_path, labels, classes):
    save(tmp_path, X=np.moveaxis(IMAGES, -1, 1), y=labels)
    assert inspect(tmp_path, Options()).classes == classes
    source = StackSource(tmp_path, Options())
    images, reasons = loaded(source)
    assert reasons == {} and source.known_shape() == (9, 10, 3)
    np.testing.assert_array_equal(np.stack([images[str(i)] for i in range(COUNT)]), IMAGES)
    found = [example.label for example in source.list().examples]
    assert len({*zip(found, KINDS.tolist(), strict=True)}) == 3 and set(found) == set(classes)


def test_targets(tmp_path):
    save(tmp_path, X=IMAGES[..., 0], y=0.5 + KINDS, mass=KINDS)
    for options, first in ((Options(), 1.5), (Options(targets="mass.npy"), 1.0)):
        source = StackSource(tmp_path, options)
        assert source.classes == () and source.known_shape() == (9, 10, 1)
        assert source.list().examples[1].target == first


def test_a_table_beside_the_images(tmp_path):
    """A row for each image, and what is missing or stands twice is bad."""
    save(tmp_path, cutouts=IMAGES)
    table = Table({"name": [f"J{index}" for index in range(COUNT)], "pair": np.arange(COUNT) // 2})
    table["kind"] = MaskedColumn(KINDS, mask=np.arange(COUNT) == 4, fill_value=-99)
    table["name"][9] = "J5"
    names = {"labels": "kind", "ids": "name", "groups": "pair"}
    for name in ("objects.fits", "objects.csv"):
        table.write(tmp_path / name)
        # A CSV file that is the only one need not be named.
        found = None if name.endswith("csv") else name
        source = StackSource(tmp_path, Options(table=found, **names))
        assert source.classes == ("0", "1", "2")
        _, reasons = loaded(source)
        assert reasons == {
            "cutouts.npy[4]": "it has no label",
            "cutouts.npy[9]": 'the id "J5" is that of another image, too',
        }
        plan = SplitPlan((0.4, 0.3, 0.3), 0)
        splits = plan.assign(source.list().examples)
        assert splits[0:8:2] == splits[1:8:2]


def test_a_table_in_an_hdf5_file(tmp_path):
    """With fields for images, and masks as astropy writes them."""
    table = Table({"image": IMAGES, "name": [f"J{index}".encode() for index in range(COUNT)]})
    table["vdisp"] = MaskedColumn(np.arange(COUNT), mask=np.arange(COUNT) == 3)
    table.write(tmp_path / "a.hdf5", path="objects", serialize_meta=True)
    source = StackSource(tmp_path, Options(targets="vdisp", ids="name"))
    images, reasons = loaded(source)
    assert reasons == {"a.hdf5[3]": "it has no target"}
    np.testing.assert_array_equal(images["J7"], IMAGES[7])
    assert source.list().examples[7].target == 7


def test_bad_images_have_their_reasons(tmp_path):
    images = IMAGES.astype(np.float32)
    images[1], images[2] = np.nan, 7
    labels = np.where(np.arange(COUNT) == 5, np.nan, KINDS)
    labels[6] = 4
    save(tmp_path, X=images, y=labels)
    _, reasons = loaded(StackSource(tmp_path, Options(classes=["2", "1", "0"])))
    assert reasons == {
        "X.npy[1]": "100 % of its pixels are not finite; 5 % may be",
        "X.npy[2]": "all pixels have one value",
        "X.npy[5]": "it has no label",
        "X.npy[6]": 'its label is "4", none of 2, 1, 0',
    }


def test_a_damaged_part_of_a_file(tmp_path):
    """Only the images in it are bad."""
    path = write_hdf5(tmp_path / "a.h5", ans=KINDS)
    with h5py.File(path) as file:
        place = file["images"].id.get_chunk_info_by_coord((7, 0, 0, 0))
    content = bytearray(path.read_bytes())
    content[place.byte_offset + 20 : place.byte_offset + 60] = bytes(40)
    path.write_bytes(content)
    images, reasons = loaded(StackSource(path, Options()))
    assert set(reasons) == {f"a.h5[{index}]" for index in range(7, 14)}
    assert all(reason.startswith("cannot be read (") for reason in reasons.values())
    assert len(images) == COUNT - 7


@pytest.mark.parametrize("name", ["a.h5", "X.npy", "y.npy"])
@pytest.mark.filterwarnings("ignore:Reading `.npy`")
def test_changed_files_are_read_or_refused(tmp_path, name):
    """Whatever bytes are changed, most of them in headers."""
    random = np.random.default_rng(len(name))
    if name == "a.h5":
        original = write_hdf5(tmp_path / name, ans=KINDS).read_bytes()
    else:
        save(tmp_path, X=IMAGES, y=KINDS)
        original = (tmp_path / name).read_bytes()
    outcomes = set()
    for _ in range(60):
        content = bytearray(original)
        for _ in range(random.integers(1, 4)):
            head = 2500 if name == "a.h5" else 128
            place = random.integers(head if random.random() < 0.7 else len(content))
            content[place] = random.integers(256)
        (tmp_path / name).write_bytes(content)
        try:
            images, reasons = loaded(StackSource(tmp_path, Options()))
        except DataError:
            outcomes.add("refused")
        else:
            assert len(images) + len(reasons) > 0
            outcomes.add("read")
    assert outcomes == {"read", "refused"}


def test_a_stack_that_has_changed_is_another(tmp_path):
    save(tmp_path, X=IMAGES, y=KINDS)
    source = StackSource(tmp_path, Options())
    before = list(source.fingerprint_entries(source.list()))
    save(tmp_path, y=KINDS[::-1].astype(np.int32))
    assert list(source.fingerprint_entries(source.list())) != before


def pickled(path):
    np.save(path / "X.npy", np.array([{}] * 3, dtype=object), allow_pickle=True)


def cut(path):
    save(path, X=IMAGES, y=KINDS)
    (path / "X.npy").write_bytes((path / "X.npy").read_bytes()[:-100])


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (
            lambda p: save(p, X=IMAGES, y=KINDS[1:]),
            {},
            "y.npy says something of 29 images, and .*30",
        ),
        (lambda p: save(p, X=IMAGES), {}, "What is to be learned .*X.npy.*none is there"),
        (lambda p: save(p, X=IMAGES), {"labels": "z.npy"}, "no file z.npy, which data.options"),
        (lambda p: save(p, a=IMAGES, b=IMAGES), {}, "holds 2 stacks of images: a.npy, b.npy"),
        (lambda p: save(p, X=IMAGES[:, 0, 0], y=KINDS), {"images": "X.npy"}, "holds 0 arrays that"),
        (lambda p: save(p, X=np.ones((5, 7, 7, 7)), y=KINDS[:5]), {}, "does not tell the channels"),
        (lambda p: np.savez(p / "X.npz", X=IMAGES), {}, "unpack them once, in Python"),
        (pickled, {}, "arrays in .*X.npy cannot be read"),
        (cut, {}, "arrays in .*X.npy cannot be read"),
        (
            lambda p: write_hdf5(p / "a.h5", ans=KINDS),
            {"labels": "an"},
            'no array "an". Did you mean',
        ),
        (lambda p: (p / "a.h5").write_bytes(b"HDF"), {}, "arrays in .*a.h5 cannot be read"),
    ],
)
def test_stacks_that_cannot_serve(tmp_path, make, options, message):
    make(tmp_path)
    with pytest.raises(DataError, match=message):
        StackSource(tmp_path, Options(**options)).known_shape()


def test_the_task_needs_what_the_stack_offers(tmp_path):
    save(tmp_path, X=IMAGES, y=KINDS)
    experiment = {
        "name": "test",
        "task": "regression",
        "data": {"dataset": "image_stack", "source_dir": str(tmp_path)},
        "model": {"backbone": "resnet18"},
    }
    ((key, message),) = problems(Experiment.model_validate(experiment))
    assert key == ("task",) and "offer classes (0, 1, 2)" in message
    experiment["data"]["options"] = {"targets": "y.npy"}
    assert problems(Experiment.model_validate(experiment)) == []
    with pytest.raises(ValueError, match="not both"):
        Options(labels="a", targets="b")


# --- prediction -----------------------------------------------------------------------------------


def test_a_stack_without_labels_is_scored(tmp_path):
    """In any of its forms; single images and folders of them are taken as such."""
    options = Options(images="images", labels="ans", ids="name")
    names = np.array([f"J{index}".encode() for index in range(COUNT)])
    new = write_hdf5(tmp_path / "new.h5", name=names)
    np.save(tmp_path / "new.npy", IMAGES)
    np.save(tmp_path / "one.npy", IMAGES[4])
    inputs = [new, tmp_path / "new.npy", tmp_path / "one.npy"]
    found = read_inputs(inputs, (9, 10, 3), "image_stack", options)
    assert [item.error for item in found] == [None] * (2 * COUNT + 1)
    expected = [f"J{index}" for index in range(COUNT)] + [str(index) for index in range(COUNT)]
    assert [item.id for item in found[:-1]] == expected
    np.testing.assert_array_equal(found[7].image, IMAGES[7])
    np.testing.assert_array_equal(found[COUNT + 7].image, IMAGES[7])
    np.testing.assert_array_equal(found[-1].image, IMAGES[4])
    assert found[7].path == str(tmp_path / "new.h5[7]")
