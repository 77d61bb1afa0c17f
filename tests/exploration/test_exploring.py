"""What is said of folders of which everything is known, and the page that says it."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from lensnet.data.sources.splits import assign_split
from lensnet.exploration import content, explore, write_page

SIZE = 16
EVIL = "<script>alert('x')</script>"
SPLITS = ("train", "validation", "test")


def noise(*seed, scale=1.0):
    """An image that no other seed gives."""
    drawn = np.random.default_rng(seed).normal(10.0, 1.0, (SIZE, SIZE))
    return (scale * drawn).astype("float32")


def name_in(split, label, start=0):
    """The first number from `start` on whose file is put into a split by the default fractions."""
    number = start
    while assign_split(0, f"{label}/{number}") != split:
        number += 1
    return str(number)


def column(table, head):
    return {row[0]: row[table.heads.index(head)] for row in table.rows}


@pytest.fixture(scope="module")
def plain(write_images, experiment_on):
    """Twelve blobs and thirty rings, ten of which lie in each small split of their class."""

    def make(changes=None, scale=1.0, **data):
        images = {}
        for label, per_split in (("blob", (10, 1, 1)), ("ring", (26, 2, 2))):
            start = 0
            for split, count in zip(SPLITS, per_split, strict=True):
                for _ in range(count):
                    name = name_in(split, label, start)
                    start = int(name) + 1
                    images[f"{label}/{name}"] = noise(len(label), ord(label[0]), start, scale=scale)
        images.update(changes(images) if changes else {})
        return explore(experiment_on(write_images(images), **data), samples=3)

    return make


@pytest.fixture(scope="module")
def unchanged(plain):
    """What is found of those, which tests may read and must not change."""
    return plain()


def in_split(images, split, label):
    """The first image that lies in a split."""
    return next(
        name
        for name in images
        if name.startswith(label) and name == f"{label}/{name_in(split, label, number_of(name))}"
    )


def number_of(name):
    return int(name.rpartition("/")[2])


def test_counts(unchanged):
    found = unchanged
    table = content.count_table(found)
    assert table.rows == [
        ["blob", 10, 1, 1, 12, pytest.approx(100 * 12 / 42)],
        ["ring", 26, 2, 2, 30, pytest.approx(100 * 30 / 42)],
        ["all", 36, 3, 3, 42, 100.0],
    ]
    facts = dict(content.facts(found))
    assert facts["Images"] == "42 of 16 x 16 pixels, 1 channel"
    assert facts["Fingerprint"] in facts["Records"] and len(facts["Fingerprint"]) == 16
    assert content.bad_file_table(found) is None
    assert content.duplicate_table(found, 10) is None
    assert content.metadata_table(found) is None
    few = [line for line in content.warnings_of(found) if "has only" in line]
    assert len(few) == 2 and '1 of "blob", 2 of "ring"' in few[0]


@pytest.mark.parametrize("scale", [1.0, 1e-12])
def test_pixel_values(plain, scale):
    def changes(images):
        # A ring with 8 NaN, and one with 64 zeros and a pixel far above all others.
        gaps, odd = (images[f"ring/{name_in('train', 'ring', at)}"].copy() for at in (0, 10))
        gaps[0, :8] = np.nan
        odd[:4], odd[8, 8] = 0, 1000 * scale
        return {"ring/gaps": gaps, "ring/odd": odd}

    found = plain(changes, scale)
    table = content.value_table(found)
    pixels = 32 * SIZE**2
    assert column(table, "filled (%)") == {"blob": 0, "ring": pytest.approx(100 * 8 / pixels)}
    assert column(table, "zero (%)") == {"blob": 0, "ring": pytest.approx(100 * 64 / pixels)}
    assert column(table, "at top (%)") == {"blob": 0, "ring": pytest.approx(100 / pixels)}
    assert column(table, "highest")["ring"] == pytest.approx(1000 * scale)
    assert column(table, "median")["blob"] == pytest.approx(10 * scale, rel=0.02)
    assert column(table, "std")["blob"] == pytest.approx(scale, rel=0.1)
    assert any("1 images had masked" in line for line in content.warnings_of(found))


def test_duplicates_across_splits(plain):
    def changes(images):
        first, second, third = (f"ring/{name_in('train', 'ring', at)}" for at in (0, 5, 10))
        test = in_split(images, "test", "ring")
        return {
            test: np.rot90(images[first]),
            in_split(images, "validation", "blob"): images[second][:, ::-1],
            f"blob/{name_in('train', 'blob')}": images[third],
        }

    found = plain(changes)
    rows = content.duplicate_table(found, 10).rows
    assert len(rows) == 3
    kinds = {row[-1]: {row[1], row[4]} for row in rows}
    assert kinds["same pixels"] == {"train"}
    assert kinds["reflected"] == {"train", "validation"}
    rotated = next(row for row in rows if row[-1] not in ("same pixels", "reflected"))
    assert {rotated[1], rotated[4]} == {"train", "test"} and rotated[2] == rotated[5] == "ring"
    # From the first to the second in the order of the data, whichever was rotated.
    assert rotated[-1] == "rotated by 90°"
    leak, contradiction = content.warnings_of(found)[:2]
    assert "4 images that are in truth 2 (2 of them rotated or reflected)" in leak
    assert "more than one split" in leak
    assert "4 images that are in truth 2 (1 of them" in contradiction
    assert "different classes" in contradiction
    assert len(content.duplicate_table(found, 2).rows) == 2


def test_bad_files(plain):
    def changes(images):
        bad = {}
        for at, gaps in enumerate((100, 120, 140)):
            image = noise(7, at)
            image.flat[:gaps] = np.nan
            bad[f"ring/bad{at}"] = image
        return {**bad, "blob/small": noise(8)[:8]}

    found = plain(changes, options={"max_bad": 0.2})
    table = content.bad_file_table(found)
    many, one = table.rows
    share = {"ring/bad0.npy": "39.1", "ring/bad1.npy": "46.9", "ring/bad2.npy": "54.7"}[many[1]]
    assert many == [f"{share} % of its pixels are not finite; 5 % may be", many[1], 3]
    assert one == ["shape (8, 16, 1), the others have (16, 16, 1)", "blob/small.npy", 1]
    assert any("4 bad files were left out" in line for line in content.warnings_of(found))


def test_a_number_that_gives_the_class_away(plain, unchanged):
    found = plain(lambda images: {k: 3 * v for k, v in images.items() if k.startswith("blob")})
    (line,) = (line for line in content.warnings_of(found) if "alone nearly gives" in line)
    assert "AUC 1.000" in line
    assert not any("alone nearly" in line for line in content.warnings_of(unchanged))


def test_images_that_were_scaled_one_by_one(plain, unchanged):
    def scaled(images):
        return {k: (v - v.min()) / (v.max() - v.min()) for k, v in images.items()}

    assert any("run from 0 to 1" in line for line in content.warnings_of(plain(scaled)))
    assert not any("run from" in line for line in content.warnings_of(unchanged))


def test_classes_of_unequal_size(plain):
    def changes(images):
        return {f"ring/more{number}": noise(9, number) for number in range(40)}

    lines = content.warnings_of(plain(changes))
    assert any('"ring" has' in line and "data.balance" in line for line in lines)


def test_the_same_command_gives_the_same_page(unchanged, tmp_path):
    found = unchanged
    one = write_page(found, tmp_path / "one.html").read_bytes()
    again = explore(found.experiment, samples=3)
    assert write_page(again, tmp_path / "again.html").read_bytes() == one
    other = explore(found.experiment, samples=3, seed=1)
    ids = [[s.id for s in of_group] for of_group in found.survey.samples]
    assert [[s.id for s in of_group] for of_group in other.survey.samples] != ids
    training = set(found.ids[found.splits == "train"])
    assert {name for of_group in ids for name in of_group} <= training
    assert [len(of_group) for of_group in ids] == [3, 3]


def test_how_the_network_is_to_see_them_changes_nothing(unchanged):
    found = unchanged
    how = {"crop": 4, "image_size": 8, "repeat_channels": 3}
    changed = found.experiment.data.model_copy(update=how)
    other = explore(found.experiment.model_copy(update={"data": changed}), samples=3)
    np.testing.assert_array_equal(other.survey.numbers, found.survey.numbers)


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.sources, self.tags, self.headings, self.alts = [], set(), [], []
        self._in_heading = False

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self._in_heading = tag == "h2"
        values = dict(attrs)
        self.sources += [values[key] for key in ("src", "href") if key in values]
        self.alts += [values["alt"]] if tag == "img" else []

    def handle_data(self, data):
        if self._in_heading:
            self.headings.append(data)
            self._in_heading = False


def read_page(path):
    page = _Page()
    page.feed(path.read_text("utf-8"))
    return page


HEADINGS = ["Counts", "Images", "Pixel values", "Duplicates", "Bad files", "Metadata"]
FIGURES = ["Training images", "Mean training image", "Radial profile", "Pixel values"]
FIGURES += ["From image to image"]


def test_the_page_is_one_file_with_every_section(unchanged, tmp_path):
    page = read_page(write_page(unchanged, tmp_path / "new folder" / "page.html"))
    assert page.headings == [*HEADINGS, "Where they come from"]
    assert page.alts == FIGURES
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert not page.tags & {"script", "link", "iframe", "object"}


def test_without_samples_there_is_no_figure_of_them(unchanged, tmp_path):
    found = explore(unchanged.experiment, samples=0)
    assert read_page(write_page(found, tmp_path / "page.html")).alts == FIGURES[1:]


def test_names_are_shown_as_text(write_images, experiment_on, tmp_path):
    label = EVIL.replace("/", "")
    images = {f"{name}/{n}": noise(len(name), n) for name in (label, "$x_{y") for n in range(20)}
    found = explore(experiment_on(write_images(images)), samples=2)
    text = write_page(found, tmp_path / "page.html").read_text("utf-8")
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text


@pytest.mark.parametrize("bands", [2, 4])
def test_several_bands(write_images, experiment_on, tmp_path, bands):
    """They are one figure of samples, though no image has more than three colours."""
    images = {
        f"{label}/{n}_{'griz'[band]}": (band + 1) * noise(len(label), n, band)
        for label in ("blob", "ring")
        for n in range(10)
        for band in range(bands)
    }
    options = {"bands": list("griz"[:bands])}
    found = explore(experiment_on(write_images(images), options=options), samples=1)
    assert found.bands == tuple("griz"[:bands])
    table = content.value_table(found)
    medians = [row[table.heads.index("median")] for row in table.rows if row[0] == "blob"]
    np.testing.assert_allclose(medians, 10.0 * np.arange(1, bands + 1), rtol=0.02)
    page = read_page(write_page(found, tmp_path / "page.html"))
    assert page.alts.count("Training images") == 1


def test_regression(write_images, experiment_on, tmp_path):
    rng = np.random.default_rng(0)
    targets = {f"{number}": float(rng.uniform(-24, -22)) for number in range(60)}
    first, second = "3", "40"
    images = {name: target / -20 * noise(int(name)) for name, target in targets.items()}
    images[second] = np.rot90(images[first], 2)
    source = write_images({f"files/{name}": image for name, image in images.items()})
    rows = [f"files/{name}.npy,{target!r}" for name, target in targets.items()]
    (source / "table.csv").write_text("\n".join(["file,mass", *rows]))
    found = explore(
        experiment_on(
            source,
            task="regression",
            dataset="fits_catalog",
            options={"target_column": "mass"},
        ),
        samples=2,
    )
    counts = content.count_table(found)
    assert len(counts.rows) == 5 and counts.rows[-1][4] == 60
    training = [row[1] for row in counts.rows[:-1]]
    assert max(training) - min(training) <= 1, "quarters of the training targets"
    values = np.array(list(targets.values()))
    table = content.target_table(found)
    assert sum(column(table, "images").values()) == 60
    assert min(column(table, "lowest").values()) == pytest.approx(values.min())
    assert max(column(table, "highest").values()) == pytest.approx(values.max())
    (row,) = content.duplicate_table(found, 5).rows
    assert row[-1] == "rotated by 180°"
    lines = content.warnings_of(found)
    assert any("different targets" in line for line in lines)
    page = read_page(write_page(found, tmp_path / "page.html"))
    assert page.headings[: len(HEADINGS)] == HEADINGS and "Targets" in page.alts


def test_metadata(tmp_path, experiment_on):
    source = tmp_path / "model_i"
    masses = []
    for label in ("no_sub", "cdm", "axion"):
        (source / label).mkdir(parents=True)
        for number in range(20):
            image = noise(len(label), number)
            if label == "axion":
                masses.append(10.0 ** -(22 + number / 10))
                pair = np.empty(2, object)
                pair[0], pair[1] = image, masses[-1]
                np.save(source / label / f"{number}.npy", pair)
            else:
                np.save(source / label / f"{number}.npy", image)
    found = explore(experiment_on(source, dataset="deeplense_substructure/model_i"), samples=1)
    (row,) = content.metadata_table(found).rows
    assert row[0] == "axion_mass_ev"
    assert row[1:4] == pytest.approx([min(masses), np.median(masses), max(masses)])
    assert row[4] == 40, "of two classes it is not known"
    assert row[5] is None, "so that it cannot tell one class from another"
    page = read_page(write_page(found, tmp_path / "page.html"))
    assert "What the records know" in page.alts


def test_slices_of_splits_are_what_is_explored(write_images, experiment_on):
    images = {f"{label}/{n}": noise(len(label), n) for label in ("blob", "ring") for n in range(60)}
    source = write_images(images)
    parts = {"train": "train[:50%]", "validation": "validation", "test": "test"}
    whole = explore(experiment_on(source), samples=1)
    found = explore(experiment_on(source, splits=parts), samples=1)
    everything, half = (int(np.sum(f.splits == "train")) for f in (whole, found))
    assert half == pytest.approx(everything / 2, abs=1)
    assert set(found.ids) < set(whole.ids)
    assert re.search(r"train train\[:50%\]", dict(content.facts(found))["Splits"])
