import json
import re

import pytest

from lensnet import config
from lensnet.config.loading import to_yaml
from lensnet.config.normalization import Normalization
from lensnet.errors import ConfigurationError, DataError

EXPERIMENT = """\
name: demo
task: binary
data:
  dataset: lens_finding/simulated
  options: {image_size: 64, examples_per_class: 10}
model:
  backbone: resnet18
  symmetry: c4
training:
  epochs: 3
"""


@pytest.fixture
def write(tmp_path):
    def write(text=EXPERIMENT):
        path = tmp_path / "experiment.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_defaults_are_filled_in(write):
    experiment = config.load(write())
    assert experiment.training.loss.name == "binary_crossentropy"
    assert experiment.training.optimizer.name == "adamw"
    assert experiment.seed == 0
    assert experiment.dataset_options.examples_per_class == 10


def test_the_seed_of_the_network_is_not_that_of_the_splits(write):
    assert config.load(write(), ["seed=3"]).data.seed == 0
    assert config.load(write(), ["data.seed=3"]).seed == 0


def test_a_run_folder_that_knows_no_stratify_keeps_its_splits(write):
    """Before there was `data.stratify`, ids alone decided, by the experiment's seed."""
    earlier = config.load(write(), ["seed=3"]).with_earlier_defaults()
    assert earlier.data.seed == 3 and not earlier.data.stratify
    today = config.load(write(), ["seed=3", "data.seed=0", "data.stratify=true"])
    assert today.with_earlier_defaults() == today
    # Going on with either, an experiment that leaves both open means the run's.
    assert config.load(write(), ["seed=3"]).resuming(earlier).data == earlier.data
    asked = config.load(write(), ["seed=3", "data.seed=1"]).resuming(earlier).data
    assert (asked.seed, asked.stratify) == (1, False)


def test_the_resolved_experiment_reads_back_equal(write, tmp_path):
    resolved = config.load(write()).resolved()
    text = to_yaml(resolved)
    again = tmp_path / "again.yaml"
    again.write_text(text)
    assert config.load(again) == resolved
    assert "weight_decay" in text, "every default is written out"


def test_training_may_be_left_out(write):
    text = EXPERIMENT.replace("training:\n  epochs: 3\n", "")
    assert config.load(write(text)).training.epochs == 10


def test_the_task_decides_the_default_loss(write):
    experiment = config.load(
        write(), ["task=regression", "data.dataset=halo_mass/simulated", "data.options={}"]
    )
    assert experiment.training.loss.name == "mse"


@pytest.mark.parametrize(
    ("override", "pattern"),
    [
        ("training.epoch=3", r'training\.epoch: unknown key\. Did you mean "epochs"\?'),
        ("training.epochs=three", r"training\.epochs: input should be a valid integer"),
        ("training.epochs=1.5", r"training\.epochs: input should be a valid integer"),
        ("training.epochs=0", r"training\.epochs: input should be greater than or equal to 1"),
        ("training.optimizer.name=adamww", r'got \'adamww\'\. Did you mean "adamw"\?'),
        ("task=clasification", r'Did you mean "classification"\?'),
        ("task=regression", r"serves classification or binary, not regression"),
        ("data.dataset=lens_finding/simulate", r'Did you mean "lens_finding/simulated"\?'),
        ("data.options.image_sizes=3", r'Did you mean "image_size"\? Allowed: image_size'),
        ("data.options.image_size=8", r"data\.options\.image_size: input should be greater"),
        ("data.splits={train: 0.5}", r"data\.splits: the fractions must be above 0 and add up"),
        ("data.splits={train: 'train[:90%]'}", r"either three fractions or three slices"),
        (
            "data.augmentation=[flip, rot]",
            r'data\.augmentation\.1: there is no augmentation "rot"\. Did you mean "rotate"\? '
            r"Allowed: flip, rotate90",
        ),
        (
            "data.augmentation=[flip, {rotat: {degrees: 3}}]",
            r'data\.augmentation\.1\.rotat: unknown key\. Did you mean "rotate"\? Allowed: flip',
        ),
        (
            "data.augmentation=[{rotate: {degree: 3}}]",
            r'data\.augmentation\.0\.rotate\.degree: unknown key\. Did you mean "degrees"\? '
            r"Allowed: fill, interpolation, degrees",
        ),
        ("data.augmentation=[{rotate: {degrees: 200}}]", r"rotate\.degrees: .* equal to 180"),
        ("data.augmentation=[{flip: {}, zoom: {}}]", r"one name with its options, .* got 2"),
        ("data.augmentation=[{zoom: {range: [1.1, 0.9]}}]", r"zoom\.range: the first number must"),
        ("data.augmentation=[{zoom: {range: 1.1}}]", r"needs two numbers, \[low, high\]; got 1\.1"),
        ("data.augmentation=[flip, flip]", r"each augmentation may stand once"),
        ("data.normalization=per_image", r"data\.normalization: got 'per_image'\. .*Allowed: none"),
        (
            "data.normalization={strech: asinh}",
            r'data\.normalization\.strech: unknown key\. Did you mean "stretch"\?',
        ),
        ("data.normalization={stretch: asin}", r'got \'asin\'\. Did you mean "asinh"\?'),
        ("data.normalization={stretch: sqrt, softening: 1}", r"belongs to the stretches asinh and"),
        ("data.normalization={clip_percentiles: [1, 101]}", r"two different numbers from 0 to 100"),
        ("data.repeat_channels=1", r"data\.repeat_channels: input should be greater than or equal"),
        ("data.balance=balance", r'Did you mean "balanced"\?'),
        (
            "training.steps_per_epoch=9",
            r"steps_per_epoch: an epoch is all of the training split, unless .* data\.fresh",
        ),
        (
            "data={dataset: rotated_mnist, source_dir: mnist.npz, fresh: true}",
            r'data\.fresh: "rotated_mnist" reads files, .* set: .*lens_finding/simulated',
        ),
        (
            "data={dataset: lens_finding/simulated, fresh: true, example_weights: flux}",
            r"data\.example_weights: weights are of prepared images",
        ),
        (
            "data={dataset: lens_finding/simulated, fresh: true, balance: balanced}",
            r"data\.balance: with data\.fresh as many images of each class",
        ),
        (
            "data={dataset: lens_finding/simulated, fresh: true, splits: "
            "{train: 'train[:90%]', validation: 'train[90%:]', test: test}}",
            r"data\.splits: slices divide prepared images, .*use fractions",
        ),
        ("data.source_dir=there", r"reads no files; remove source_dir"),
        ("data.crop=16", r'"resnet18" needs images of 32 pixels or more; got 16'),
        ("data.image_size=16", r'"resnet18" needs images of 32 pixels or more; got 16'),
        ("model.backbone=resnet81", r'Did you mean "resnet18"\?'),
        ("model.symmetry=c5x", r'there is no symmetry "c5x"'),
        ("model.head.dropout=1", r"model\.head\.dropout: input should be less than 1"),
        ("model.options.dropout=0.1", r'unknown option of "resnet18"\. Did you mean "drop_path"'),
        ("training.loss.name=mse", r"mse does not fit task binary; allowed: binary_crossentropy"),
        ("training.early_stopping.monitor=val_los", r'Did you mean "val_loss"\?'),
        ("training.schedule.warmup_epochs=20", r"a warm-up of 20 epochs is longer"),
        (
            "training.schedule={name: cosine, decay_epochs: 2}",
            r"schedule\.decay_epochs: the learning rate is zero after 2 of 3 epochs; choose",
        ),
        ("training.schedule={name: step, decay_epochs: [3, 2]}", r"list of ascending epochs"),
        (
            "data.target_transform=log10",
            r"target_transform: log10 is of the targets",
        ),
        ("training.loss.name=binary_focal", r'Did you mean "binary_focal_crossentropy"\?'),
        ("training.loss.name=huber", r"allowed: binary_crossentropy, binary_focal_crossentropy"),
        (
            "training={strategy: mirrored, gradient_accumulation_steps: 2}",
            r"gradient_accumulation_steps: Keras accumulates gradients on one device only",
        ),
        (
            "training.weight_averaging={name: swa, start_epoch: 4}",
            r"start_epoch: epoch 4 comes after the end of the training \(3\)",
        ),
        ("training.optimizer.name=rangr", r'Did you mean "ranger"\?'),
        ("training.optimizer={clip_norm: 1, clip_value: 1}", r"clip_norm or clip_value, not both"),
        ("training.schedule={name: cosin}", r'Did you mean "cosine"\?'),
        (
            "training.schedule={name: reduce_on_plateau, monitor: val_los}",
            r'schedule\.monitor: there is no monitor "val_los"',
        ),
        ("evaluation.rotations=1", r"evaluation\.rotations: input should be greater"),
        ("name=a b", r"name: string should match pattern"),
        ("seed.x=3", r'"seed" is not a section'),
        ("model=null", r"model: "),
    ],
)
def test_a_wrong_value_is_named(write, override, pattern):
    path = write("seed: 1\n" + EXPERIMENT)
    with pytest.raises(ConfigurationError, match=pattern) as caught:
        config.load(path, [override])
    assert caught.value.exit_code == 2
    assert f"--set {override}" in str(caught.value), "the message says where it comes from"


@pytest.mark.parametrize("name", ["zoom", "rand_augment", "cutmix", "fourier_mix"])
def test_augmentations_that_make_a_target_wrong(write, name):
    regression = ["task=regression", "data.dataset=halo_mass/simulated", "data.options={}"]
    chosen = f"data.augmentation=[flip, rotate, mixup, {name}]"
    assert len(config.load(write(), [chosen]).data.augmentation) == 4
    with pytest.raises(ConfigurationError, match=rf"{name} .*: leave it out for task regression"):
        config.load(write(), [*regression, chosen])


def test_normalization_and_augmentation_read_back_equal(write, tmp_path):
    """What is said by a name alone is written so; of the rest, every default is written out."""
    chosen = [
        "data.normalization={clip_percentiles: [0.5, 99.5], stretch: asinh}",
        "data.augmentation=[flip, {rotate: {degrees: 30}}, noise]",
    ]
    experiment = config.load(write(), chosen)
    written = to_yaml(experiment)
    assert "- flip\n" in written and "softening: 0.1" in written and "sigma: 0.01" in written
    again = tmp_path / "again.yaml"
    again.write_text(written)
    assert config.load(again) == experiment
    assert "normalization: per_image_min_max" in to_yaml(config.load(write()))


def test_limits_follow_the_scale():
    by_data = Normalization.model_validate({"stretch": "log", "scale": "dataset_standard"})
    assert (by_data.limits, by_data.softening) == ("dataset", 0.001)
    by_image = Normalization.model_validate(
        {"stretch": "sqrt", "scale": "dataset_standard", "limits": "per_image"}
    )
    assert (by_image.limits, by_image.softening) == ("per_image", None)


def test_a_wrong_key_of_the_file_has_its_line(write):
    path = write(EXPERIMENT.replace("epochs: 3", "epoch: 3"))
    with pytest.raises(ConfigurationError, match=re.escape(f"{path}:10: training.epoch")):
        config.load(path)


def test_every_problem_is_named_at_once(write):
    text = EXPERIMENT.replace("epochs: 3", "epoch: 3").replace("symmetry: c4", "symetry: c4")
    with pytest.raises(ConfigurationError) as caught:
        config.load(write(text))
    assert len(str(caught.value).splitlines()) == 2


def test_an_unknown_optimizer_key_lists_that_optimizers_keys(write):
    overrides = ["training.optimizer.name=adam", "training.optimizer.weight_decay=0.1"]
    with pytest.raises(ConfigurationError) as caught:
        config.load(write(), overrides)
    allowed = str(caught.value).partition("Allowed: ")[2]
    assert "beta_1" in allowed and "weight_decay" not in allowed


def test_an_optimizer_without_a_name_keeps_the_default(write):
    experiment = config.load(write(), ["training.optimizer.learning_rate=1e-4"])
    assert experiment.training.optimizer.name == "adamw"
    assert experiment.training.optimizer.learning_rate == 1e-4


@pytest.mark.parametrize("given", ["2h30m", "1d", "90s", "1.5h", "2h 5m"])
def test_a_time_budget_has_units(write, given):
    assert config.load(write(), [f"training.time_budget={given}"]).training.time_budget == given


@pytest.mark.parametrize("given", ["30", "2.5", "0m", "h", "5m2h", "2 hours", "''"])
def test_what_is_no_time_budget(write, given):
    with pytest.raises(
        ConfigurationError, match=r"training\.time_budget: a duration is .*2h30m or"
    ):
        config.load(write(), [f"training.time_budget={given}"])


@pytest.mark.parametrize("override", ["training.epochs", "=3", "training..epochs=3"])
def test_an_override_without_key_or_value(write, override):
    with pytest.raises(ConfigurationError, match="key=value"):
        config.load(write(), [override])


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n"])
def test_a_file_that_is_no_experiment(write, text):
    with pytest.raises(ConfigurationError, match="an experiment is a mapping"):
        config.load(write(text))


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigurationError, match="no experiment file"):
        config.load(tmp_path / "none.yaml")


class TestImageFolder:
    """The classes of a folder are known, and checked, before anything is imported or read."""

    OVERRIDES = ("data.dataset=image_folder", "data.options={}")

    def folder(self, tmp_path, *classes):
        for name in classes:
            (tmp_path / "images" / name).mkdir(parents=True)
        return f"data.source_dir={tmp_path / 'images'}"

    def test_binary_with_three_classes(self, write, tmp_path):
        source = self.folder(tmp_path, "a", "b", "c")
        with pytest.raises(ConfigurationError, match=r"needs two classes; .* has 3 \(a, b, c"):
            config.load(write(), [*self.OVERRIDES, source])

    def test_missing_source_dir_key(self, write):
        with pytest.raises(ConfigurationError, match="reads your files: say where they are"):
            config.load(write(), self.OVERRIDES)

    def test_missing_folder_is_bad_data(self, write, tmp_path):
        with pytest.raises(DataError, match="does not exist") as caught:
            config.load(write(), [*self.OVERRIDES, f"data.source_dir={tmp_path / 'none'}"])
        assert caught.value.exit_code == 3

    def test_class_order_and_misspelt_class(self, write, tmp_path):
        source = self.folder(tmp_path, "lens", "nonlens")
        chosen = "data.options.classes=[nonlens, lens]"
        experiment = config.load(write(), [*self.OVERRIDES, source, chosen])
        assert experiment.layout.classes == ("nonlens", "lens")
        wrong = "data.options.classes=[nonlens, lense]"
        with pytest.raises(DataError, match='Did you mean "lens"'):
            config.load(write(), [*self.OVERRIDES, source, wrong])

    def test_own_splits_exclude_fractions(self, write, tmp_path):
        source = self.folder(tmp_path, "train/a", "train/b", "val/a", "val/b")
        experiment = config.load(write(), [*self.OVERRIDES, source])
        # There is no test folder: a part of the training folder will serve.
        assert experiment.layout.splits == ("train", "validation", "test")
        fractions = "data.splits={train: 0.8, validation: 0.1, test: 0.1}"
        with pytest.raises(ConfigurationError, match="brings its own splits"):
            config.load(write(), [*self.OVERRIDES, source, fractions])


def test_the_json_schema_names_the_choices():
    schema = config.json_schema()
    json.dumps(schema)
    assert "resnet18" in schema["$defs"]["Model"]["properties"]["backbone"]["anyOf"][0]["enum"]
    assert "lens_finding/simulated" in schema["$defs"]["Data"]["properties"]["dataset"]["enum"]
    assert "training" not in schema["required"]
    names, mapping = schema["$defs"]["Augmentation"]["anyOf"]
    assert "rotate" in names["enum"] and mapping["maxProperties"] == 1
    assert mapping["properties"]["rotate"] == {"$ref": "#/$defs/Rotate"}
    assert "angle" in schema["$defs"]["Rotate"]["properties"]["degrees"]["description"]
    names, mapping = schema["$defs"]["Normalization"]["anyOf"]
    assert "per_image_min_max" in names["enum"] and "asinh" in str(mapping["properties"]["stretch"])
