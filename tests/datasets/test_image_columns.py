"""Images in a column of a Parquet table, in any of the forms that they come in."""

import io
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from PIL import Image
from planned_inputs import read_inputs

from lensnet.data import prepare
from lensnet.data.tables import image_columns
from lensnet.datasets.image_stack.options import Options, inspect
from lensnet.datasets.image_stack.stack_source import StackSource
from lensnet.errors import DataError

COUNT = 20
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 6, 8, 3), dtype=np.uint8)
KINDS = ["ring", "spiral", "merger"] * 6 + ["ring", "spiral"]


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def npy(pixels):
    stream = io.BytesIO()
    np.save(stream, pixels)
    return stream.getvalue()


PICTURES = [png(image) for image in IMAGES]
FLOATS = IMAGES.astype(np.float32)


def write(path, images, *, group=7, **columns):
    """As many row groups as it takes, of 7 rows each."""
    columns = {"image": images, **columns}
    pq.write_table(pa.table(columns), path, row_group_size=group)
    return path


def tensors():
    return pa.FixedShapeTensorArray.from_numpy_ndarray(FLOATS)


FORMS = {
    "png": (lambda: pa.array(PICTURES), None),
    "npy": (lambda: pa.array([npy(np.moveaxis(image, -1, 0)) for image in IMAGES]), None),
    "large": (lambda: pa.array(PICTURES, pa.large_binary()), None),
    "as of Hugging Face": (
        lambda: pa.array(
            [{"bytes": data, "path": f"{at}.png"} for at, data in enumerate(PICTURES)]
        ),
        None,
    ),
    "flat": (lambda: pa.array(list(FLOATS.reshape(COUNT, -1))), [6, 8, 3]),
    "flat, bands first": (
        lambda: pa.array(list(np.moveaxis(FLOATS, -1, 1).reshape(COUNT, -1))),
        [3, 6, 8],
    ),
    "fixed size": (
        lambda: pa.FixedSizeListArray.from_arrays(pa.array(IMAGES.reshape(-1)), 6 * 8 * 3),
        [6, 8, 3],
    ),
    "nested": (lambda: pa.array(FLOATS.tolist()), None),
    "tensor": (tensors, None),
}


def loaded(source, order=slice(None, None, -1)):
    """Each image by its id, and each reason."""
    images, reasons = {}, {}
    for item in source.load(source.list().examples[order]):
        if item.error is None:
            images[item.example.id] = item.image
        else:
            reasons[item.error.path] = item.error.reason
    return images, reasons


@pytest.mark.parametrize("form", FORMS)
def test_each_form(tmp_path, form):
    make, shape = FORMS[form]
    path = write(tmp_path / "a.parquet", make(), label=KINDS)
    source = StackSource(path, Options(shape=shape))
    images, reasons = loaded(source)
    assert reasons == {}
    np.testing.assert_array_equal(np.stack([images[str(i)] for i in range(COUNT)]), IMAGES)
    assert source.known_shape() == (None if shape is None else (6, 8, 3))
    assert [example.label for example in source.list().examples] == KINDS
    assert (
        source.classes
        == ("merger", "ring", "spiral")
        == inspect(path, Options(shape=shape)).classes
    )


def test_jpeg_and_fits(tmp_path):
    """As Pillow and astropy read the same bytes."""
    pixels = IMAGES[0].repeat(4, axis=0).repeat(4, axis=1)
    jpeg, cube = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels).save(jpeg, "JPEG")
    fits.PrimaryHDU(np.moveaxis(FLOATS[1], -1, 0)).writeto(cube)
    data = [jpeg.getvalue(), cube.getvalue()]
    path = write(tmp_path / "a.parquet", data, label=["a", "b"])
    images, reasons = loaded(StackSource(path, Options()))
    assert reasons == {}
    np.testing.assert_array_equal(images["0"], np.asarray(Image.open(jpeg)))
    np.testing.assert_array_equal(images["1"], IMAGES[1])


@pytest.mark.parametrize(("window", "batch"), [(2**28, 2**24), (1000, 400), (1, 1)])
def test_rows_come_in_the_order_asked_for(tmp_path, monkeypatch, window, batch):
    """However little is held at a time, over the parts of a folder and their row groups."""
    monkeypatch.setattr(image_columns, "_WINDOW_BYTES", window)
    monkeypatch.setattr(image_columns, "_BATCH_BYTES", batch)
    (tmp_path / "parts" / "sky=1").mkdir(parents=True)
    parts = (slice(0, 9), slice(9, 9), slice(9, 20))
    for number, rows in enumerate(parts):
        where = tmp_path / "parts" / ("sky=1" if number == 1 else "")
        names = [f"J{index}" for index in range(COUNT)][rows]
        kind = pa.float64() if number == 2 else pa.float32()
        pixels = pa.array(FLOATS[rows].tolist(), pa.list_(pa.list_(pa.list_(kind))))
        # Of other types in each part, and a column that one lacks.
        more = {} if number == 2 else {"z": pa.array(np.arange(COUNT)[rows])}
        y = pa.array(KINDS[rows], pa.string()).dictionary_encode() if number else KINDS[rows]
        write(where / f"p{number}.parquet", pixels, group=4, y=y, name=names, **more)
    (tmp_path / "parts" / "_metadata").write_bytes(b"not a part")
    source = StackSource(tmp_path / "parts", Options(ids="name"))
    examples = list(source.list().examples)
    assert [example.id for example in examples] == [f"J{index}" for index in range(COUNT)]
    assert examples[3].files == ("parts[3]",)
    order = np.random.default_rng(1).permutation(COUNT)
    copy = pickle.loads(pickle.dumps(source))  # as for a worker
    for place, item in zip(order, copy.load([examples[i] for i in order]), strict=True):
        np.testing.assert_array_equal(item.image, IMAGES[place])
        assert item.example.label == KINDS[place]


def test_what_is_known_in_other_columns(tmp_path, make_experiment, read_back):
    """Prepared, as all data are: targets, ids, groups; and what is missing is quarantined."""
    mass = pa.array([None if at == 3 else 10.5 + at for at in range(COUNT)])
    names = [f"J{at}" if at != 9 else "J5" for at in range(COUNT)]
    images = [None if at == 12 else data for at, data in enumerate(PICTURES)]
    more = {"system": np.arange(COUNT) // 2, "label": KINDS, "log_mass": mass, "name": names}
    write(tmp_path / "a.parquet", images, **more)
    options = {"targets": "log_mass", "ids": "name", "groups": "system", "max_bad": 0.3}
    splits = {"train": 0.4, "validation": 0.3, "test": 0.3}
    made = make_experiment(
        "image_stack", "regression", source_dir=tmp_path / "a.parquet", options=options,
        splits=splits, augmentation=["flip"],
    )  # fmt: skip
    data = prepare(made)
    assert data.native_shape == (6, 8, 3)
    assert {(bad.file, bad.reason) for bad in data.quarantine} == {
        ("a.parquet[3]", "it has no target"),
        ("a.parquet[9]", 'the id "J5" is that of another image, too'),
        ("a.parquet[12]", "there is no image in its row"),
    }
    records = read_back(data)
    assert set(records) == {f"J{at}" for at in range(COUNT)} - {"J3", "J9", "J12"}
    for name, record in records.items():
        np.testing.assert_array_equal(record.image, IMAGES[int(name[1:])])
        assert record.value == 10.5 + int(name[1:])


def test_bad_rows_have_their_reasons(tmp_path):
    lists = FLOATS.tolist()
    lists[2][1] = lists[2][1][:-1]
    lists[3][0] = None
    lists[4] = None
    lists[5] = []
    lists[6] = np.full((6, 8, 3), 7.0).tolist()
    lists[7][0][0][0] = None  # one pixel that is masked is filled
    labels = [*KINDS]
    labels[8] = None
    path = write(tmp_path / "a.parquet", pa.array(lists), label=labels)
    source = StackSource(path, Options())
    images, reasons = loaded(source)
    assert reasons == {
        "a.parquet[2]": "its lines have different lengths",
        "a.parquet[3]": "a line of it is null",
        "a.parquet[4]": "there is no image in its row",
        "a.parquet[5]": "shape (0, 0, 0) holds no pixels",
        "a.parquet[6]": "all pixels have one value",
        "a.parquet[8]": "it has no label",
    }
    assert images["7"][0, 0, 0] == np.median(FLOATS[7, :, :, 0].ravel()[1:])
    np.testing.assert_array_equal(images["7"][1:], FLOATS[7, 1:])

    pictures = [*PICTURES]
    pictures[1], pictures[2], pictures[3] = b"", b"GIF89a", PICTURES[3][:60]
    _, reasons = loaded(StackSource(write(path, pictures, label=KINDS), Options()))
    assert reasons.pop("a.parquet[3]").startswith("damaged PNG (")
    assert reasons == {
        "a.parquet[1]": "it has no bytes",
        "a.parquet[2]": "its bytes are not those of a PNG, JPEG, .npy or FITS file",
    }

    flat = list(FLOATS.reshape(COUNT, -1))
    flat[4] = flat[4][:-1]
    write(path, pa.array(flat), label=KINDS)
    _, reasons = loaded(StackSource(path, Options(shape=[6, 8, 3])))
    words = "it has 143 numbers, where an image of (6, 8, 3) has 144"
    assert reasons == {"a.parquet[4]": words}


def test_a_damaged_row_group(tmp_path):
    """Only the images in it are bad."""
    path = write(tmp_path / "a.parquet", PICTURES, label=KINDS)
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + 30] = b"\xff" * 30
    path.write_bytes(content)
    images, reasons = loaded(StackSource(path, Options()))
    assert set(reasons) == {f"a.parquet[{at}]" for at in range(7, 14)}
    assert all(reason.startswith("cannot be read (") for reason in reasons.values())
    np.testing.assert_array_equal(images["15"], IMAGES[15])


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"label": KINDS}, {}, "holds 0 columns that could be the images"),
        ({"a": PICTURES, "b": PICTURES}, {}, "holds 2 columns .*: a, b. data.options.images says"),
        ({"image": PICTURES}, {"images": "imag"}, 'has 0 columns "imag". Did you mean "image"'),
        ({"image": PICTURES, "z": KINDS}, {"images": "z"}, '"z" of string holds no images'),
        ({"image": PICTURES}, {}, "What is to be learned .*none is there"),
        ({"image": PICTURES, "kind": KINDS}, {"labels": "kinds"}, 'no column "kinds".* "kind"'),
        ({"image": PICTURES, "y": FLOATS[:, 0, 0].tolist()}, {"labels": "y"}, "does not say one"),
        ({"image": PICTURES, "y": KINDS}, {"shape": [6, 8, 3]}, "leave data.options.shape out"),
        ({"image": FLOATS[:, 0, 0].tolist(), "y": KINDS}, {}, "data.options.shape says which"),
        ({"image": FLOATS[:, 0, 0].tolist()}, {"shape": [5, 5, 5]}, "does not tell the channels"),
        ({"image": PICTURES, "y": KINDS}, {"table": "b.csv"}, "leave data.options.table out"),
    ],
)
def test_tables_that_cannot_serve(tmp_path, columns, options, message):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    labelled = message != "does not tell the channels"
    with pytest.raises(DataError, match=message):
        StackSource(tmp_path, Options(**options), labelled=labelled).known_shape()


def test_files_that_are_not_parquet(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 is not enough")
    with pytest.raises(DataError, match=r"table .*a\.parquet cannot be read"):
        StackSource(tmp_path, Options())
    np.save(tmp_path / "X.npy", IMAGES)
    with pytest.raises(DataError, match="arrays have a shape of their own"):
        StackSource(tmp_path, Options(shape=[6, 8, 3]), labelled=False)


@pytest.mark.parametrize("dataset", ["image_stack", "image_folder"])
def test_a_table_of_images_is_scored(tmp_path, dataset):
    """By any run, as a file or a folder; a table without images is a catalogue."""
    options = {"ids": "name"} if dataset == "image_stack" else None
    names = [f"J{at}" for at in range(COUNT)]
    images = [None if at == 4 else data for at, data in enumerate(PICTURES)]
    (tmp_path / "new").mkdir()
    path = write(tmp_path / "new" / "a.parquet", images, name=names)
    for given in (path, path.parent):
        found = read_inputs([given], (6, 8, 3), dataset, options)
        ids = names if options else [str(at) for at in range(COUNT)]
        assert [item.id for item in found] == ids
        assert "there is no image in its row" in str(found[4].error)
        np.testing.assert_array_equal(found[7].image, IMAGES[7])
    np.save(tmp_path / "one.npy", IMAGES[3])
    pq.write_table(pa.table({"file": ["one.npy"], "x": [1.0]}), tmp_path / "b.parquet")
    (found,) = read_inputs([tmp_path / "b.parquet"], (6, 8, 3), "image_folder")
    np.testing.assert_array_equal(found.image, IMAGES[3])
