"""What docs/data.md shows is what the configuration takes."""

import inspect
import re
from pathlib import Path

import pytest
import yaml

from lensnet.config import Experiment
from lensnet.config.augmentation import Augmentation
from lensnet.config.normalization import Normalization
from lensnet.config.sections import Data
from lensnet.data.files.decoding import ENDINGS
from lensnet.registry import datasets

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_there_are_blocks():
    assert len(BLOCKS) >= 12


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_block_is_an_experiments_data(block):
    content = yaml.safe_load(block)
    spec = datasets.get(content["data"]["dataset"])
    task = "classification" if "classes" in spec.offers else "regression"
    experiment = Experiment.model_validate(
        {
            "name": "page",
            "task": task,
            "model": {"backbone": "resnet18"},
            **content,
        }
    )
    assert experiment.dataset_options == spec.options.model_validate(
        content["data"].get("options", {})
    )
    assert spec.needs_source_dir == (experiment.data.source_dir is not None)


def test_a_block_with_a_mistake_is_refused():
    content = yaml.safe_load(BLOCKS[0].replace("options", "option"))
    with pytest.raises(ValueError):
        Data.model_validate(content["data"])


def rows(heading):
    """The cells of the table that follows a heading."""
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    table = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table]


def test_every_augmentation_has_its_row_and_its_defaults():
    table = {row[0].strip("`"): row[1] for row in rows("Augmentation")}
    assert list(table) == list(Augmentation.model_fields)
    for name, options in table.items():
        shown = yaml.safe_load("{" + options.replace("`", "") + "}") or {}
        made = Augmentation.model_validate({name: shown})
        assert made.options == Augmentation.model_validate(name).options
        # What geometric changes have in common is said once, below the table.
        common = {"fill", "interpolation"} if name in ("rotate", "shift", "zoom") else set()
        assert set(shown) == type(made.options).model_fields.keys() - common


def test_every_balance_has_its_row():
    names = inspect.get_annotations(Data, eval_str=True)["balance"].__args__
    assert {row[0].strip("`") for row in rows("Unequal classes")} == set(names)


def test_the_softenings_are_those_of_the_page():
    for stretch, softening in (("asinh", 0.1), ("log", 0.001)):
        assert Normalization.model_validate({"stretch": stretch}).softening == softening
        assert f"s = {softening}" in PAGE


def test_the_endings_are_those_of_the_page():
    assert all(f"`{ending}`" in PAGE for ending in ENDINGS)
