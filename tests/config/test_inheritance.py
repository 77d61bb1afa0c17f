"""An experiment file that is based on another."""

import pytest

from lensnet import config
from lensnet.config.loading import load_ensemble_file, open_document
from lensnet.errors import ConfigurationError

RECIPE = """\
task: binary
data:
  options: {image_size: 64, examples_per_class: 10}
  augmentation: [flip, rotate90]
training:
  optimizer: {name: adamw, learning_rate: 2.0e-3, beta_1: 0.5}
  epochs: 30
"""
DATA = """\
base: recipes/recipe.yaml
data: {dataset: lens_finding/simulated, image_size: 48}
"""
ROW = """\
base: data.yaml
name: row
data: {augmentation: [flip], options: {image_size: 80}}
model: {backbone: resnet18}
training:
  optimizer: {name: sgd}
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "data.yaml").write_text(DATA)
    (tmp_path / "row.yaml").write_text(ROW)
    return tmp_path


def test_sections_merge_and_lists_do_not(files):
    row = config.load(files / "row.yaml")
    assert row.training.epochs == 30, "of the base's base, named from the base's own folder on"
    assert row.data.image_size == 48
    assert row.data.options == {"image_size": 80, "examples_per_class": 10}
    assert [augmentation.name for augmentation in row.data.augmentation] == ["flip"]


def test_a_section_of_another_name_keeps_nothing_of_the_old_one(files):
    optimizer = config.load(files / "row.yaml").training.optimizer
    assert optimizer.learning_rate == 0.01, "SGD's own default, and not AdamW's rate"


def test_another_data_set_keeps_no_options_of_the_old_one(files):
    for options, expected in (("", None), (", options: {a: 1}", {"a": 1})):
        (files / "other.yaml").write_text(
            f"base: row.yaml\ndata: {{dataset: rotated_mnist{options}}}\n"
        )
        data = open_document(files / "other.yaml").content["data"]
        assert data.get("options") == expected and data["image_size"] == 48


def test_what_is_written_has_no_base(files):
    row = config.load(files / "row.yaml")
    (files / "whole.yaml").write_text(config.to_yaml(row))
    assert "base" not in config.to_yaml(row).split()
    assert config.load(files / "whole.yaml") == row


def test_messages_name_the_file_in_which_a_key_stands(files):
    (files / "recipes" / "recipe.yaml").write_text(RECIPE.replace("epochs: 30", "epochs: 0"))
    with pytest.raises(ConfigurationError, match=r"recipes/recipe\.yaml:7: training\.epochs"):
        config.load(files / "row.yaml")
    assert config.place_of("data.image_size", files / "row.yaml").endswith("data.yaml:2")
    assert config.place_of("data.options", files / "row.yaml").endswith("row.yaml:3")


def test_another_base_is_one_override(files):
    (files / "other.yaml").write_text(DATA.replace("48", "56"))
    row = config.load(files / "row.yaml", ["data.options.image_size=72", "base=other.yaml"])
    assert (row.data.image_size, row.data.options["image_size"]) == (56, 72)


def test_overrides_count_more_than_file_and_base(files):
    row = config.load(files / "row.yaml", ["training.epochs=2", "training.optimizer.momentum=0.5"])
    assert (row.training.epochs, row.training.optimizer.momentum) == (2, 0.5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("base: missing.yaml\n", r"row\.yaml:1: base: there is no file .*missing\.yaml"),
        ("base: [data.yaml]\n", r"row\.yaml:1: base: names another experiment file"),
        ("base: row.yaml\n", r"row\.yaml:1: base: .*row\.yaml is based on this file"),
        ("base: list.yaml\n", r"row\.yaml:1: base: .*list\.yaml is not a mapping"),
        ("base: broken.yaml\n", r"broken\.yaml:1: not valid YAML"),
    ],
)
def test_a_base_that_cannot_be_is_refused_by_file_and_line(files, text, words):
    (files / "row.yaml").write_text(text + "name: row\n")
    (files / "list.yaml").write_text("- 1\n")
    (files / "broken.yaml").write_text("a: ]\n")
    with pytest.raises(ConfigurationError, match=words):
        config.load(files / "row.yaml")


def test_a_circle_of_two_is_refused(files):
    (files / "recipes" / "recipe.yaml").write_text("base: ../data.yaml\n" + RECIPE)
    with pytest.raises(ConfigurationError, match=r"recipe\.yaml:1: base: .*data\.yaml is based on"):
        config.load(files / "row.yaml")


def test_a_run_folder_leads_to_no_other_file(files):
    """Run folders come from others: what their YAML names is not opened."""
    with pytest.raises(ConfigurationError, match="base: unknown key"):
        config.load(files / "row.yaml", check_source=False)


def test_the_file_of_an_ensemble_is_checked_like_an_experiment(files):
    path = files / "ensemble.yaml"
    path.write_text("name: six\nexperiments: [row.yaml]\nweights: fitted\n")
    assert load_ensemble_file(path).weights == "fitted"
    path.write_text("name: six\nexperimnts: [row.yaml]\ncombine: logit\n")
    with pytest.raises(ConfigurationError) as raised:
        load_ensemble_file(path)
    assert 'ensemble.yaml:2: experimnts: unknown key. Did you mean "experiments"?' in str(
        raised.value
    )
    assert "ensemble.yaml:3: combine: got 'logit'. Did you mean \"logits\"?" in str(raised.value)
    path.write_text("name: six\n")
    with pytest.raises(ConfigurationError, match="an ensemble needs members"):
        load_ensemble_file(path)
