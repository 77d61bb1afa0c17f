"""The file of a search: what it draws, and what is refused by file, line and key."""

import re
from pathlib import Path

import pytest

from lensnet.config.search import load_search
from lensnet.errors import ConfigurationError

EXPERIMENT = """\
name: lens
task: binary
data: {dataset: lens_finding/simulated, image_size: 32}
model: {backbone: resnet18}
training: {epochs: 4, schedule: {name: cosine, warmup_epochs: 1}}
"""

SEARCH = """\
name: heads
experiment: lens.yaml
objective: val_auc
trials: 12
sampler: tpe
parameters:
  training.optimizer.momentum:
    {low: 0.0, high: 0.9, when: {training.optimizer.name: sgd}}
  training.optimizer.name: [adamw, sgd]
  training.optimizer.learning_rate: {low: 1.0e-5, high: 1.0e-2, log: true}
  model.head.units: {length: {low: 0, high: 2}, each: [32, 64]}
  training.batch_size:
    low: 8
    high: 32
    step: 8
"""


@pytest.fixture
def write(tmp_path):
    def write(text=SEARCH, experiment=EXPERIMENT):
        (tmp_path / "lens.yaml").write_text(experiment)
        path = tmp_path / "search.yaml"
        path.write_text(text)
        return path

    return write


def drawn(plan, **wanted):
    """The first values there are, but for what is named by its last word."""
    return plan.space.draw(lambda name, d: wanted.get(name.split(".")[-1], d.ends()[0]))


def test_a_parameter_is_tried_only_under_its_condition(write):
    plan = load_search(write())
    assert "training.optimizer.momentum" not in drawn(plan)
    values = drawn(plan, name="sgd", length=2)
    assert values["training.optimizer.momentum"] == 0.0
    experiment = plan.experiment(values, "heads-0003")
    assert experiment.training.optimizer.name == "sgd"
    assert experiment.model.head.units == [32, 32] and experiment.name == "heads-0003"
    # What is not tried is the experiment's own.
    assert experiment.training.epochs == 4


def test_what_stands_in_the_search_folder_reads_back_equal(write, tmp_path):
    plan = load_search(write(), ["experiment.training.epochs=2", "sampler=random"])
    assert plan.longest == 2
    path = tmp_path / "elsewhere.yaml"
    path.write_text(plan.to_yaml())
    again = load_search(path)
    assert again.to_yaml() == plan.to_yaml() and again.space == plan.space
    assert again.experiment(drawn(again)) == plan.experiment(drawn(plan))


def test_a_grid_has_each_point_once(write):
    text = SEARCH.replace("sampler: tpe", "sampler: grid").replace("trials: 12\n", "")
    text = text.replace("{low: 1.0e-5, high: 1.0e-2, log: true}", "[0.001]")
    plan = load_search(write(text.replace("high: 0.9,", "high: 0.9, step: 0.3,")))
    # Of momentum four values with sgd, none with adamw; heads of 0, 1 and 2 layers; 4 batches.
    assert plan.trials == len(plan.points) == (1 + 4) * (1 + 2 + 4) * 4
    assert len({tuple(sorted(point.items())) for point in plan.points}) == plan.trials
    momenta = {
        p["training.optimizer.momentum"]
        for p in plan.points
        if len(p) > 3 and "training.optimizer.momentum" in p
    }
    assert momenta == {0.0, 0.3, 0.6, 0.9}


def test_sections_and_lists_are_choices(write):
    text = SEARCH.partition("parameters:")[0] + (
        "parameters:\n"
        "  training.optimizer:\n"
        "    - {name: adamw, weight_decay: 0.01}\n"
        "    - {name: sgd, momentum: 0.9}\n"
        "  training.optimizer.learning_rate: [0.1, 0.01]\n"
        "  model.head.units: [[], [512, 128]]\n"
    )
    plan = load_search(write(text))
    last = plan.experiment(plan.space.draw(lambda name, d: d.ends()[-1]))
    assert last.training.optimizer.momentum == 0.9
    assert last.training.optimizer.learning_rate == 0.01
    assert last.model.head.units == [512, 128]
    wrong = text.replace("momentum: 0.9", "momentun: 0.9")
    with pytest.raises(ConfigurationError, match=r"search.yaml:9: training.optimizer.momentun"):
        load_search(write(wrong))


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("optimizer.learning_rate", "optimizer.learning_rat", 10, 'Did you mean "learning_rate"?'),
        ("low: 1.0e-5", "low: 1.0", 10, "low must be below high"),
        ("low: 1.0e-5", "low: 0.0", 10, "begins above 0"),
        ("log: true", "log: true, step: 0.001", 10, "not both"),
        ("high: 0.9", "high: 1.9", 8, "training.optimizer.momentum: input should be"),
        ("[adamw, sgd]", "[adamw, sgd, rangr]", 9, 'Did you mean "ranger"?'),
        ("[adamw, sgd]", "[adamw, sgd, adamw]", 9, "each choice may stand once"),
        ("name: sgd}", "name: sg}", 8, "'sg' is never tried. Allowed: adamw, sgd"),
        (
            "optimizer.name: sgd}",
            "optimizer.nam: sgd}",
            8,
            'Did you mean "training.optimizer.name"',
        ),
        ("step: 8", "step: 7", 12, "do not lead to 32; the last is at 29"),
        (
            "    step: 8",
            "    stp: 8",
            15,
            'Did you mean "step"? Allowed: when, low, high, step, log',
        ),
        ("low: 8", "low: 8.0", 13, "training.batch_size: input should be a valid integer"),
        ("{low: 0, high: 2}", "{low: -1, high: 2}", 11, "needs whole numbers, 0 or more"),
        ("each: [32, 64]", "eac: [32, 64]", 11, 'Did you mean "each"?'),
        ("sampler: tpe", "sampler: tpee", 5, 'Did you mean "tpe"?'),
        ("sampler: tpe", "sampler: grid", 7, "a grid needs choices, whole numbers or a step"),
        ("sampler: tpe", "sampler: {name: tpe, startup: 3}", 5, 'Did you mean "startup_trials"?'),
        ("val_auc", "val_auk", 3, 'Did you mean "val_auc"?'),
        ("val_auc", "parameters", 3, "one must be measured in training"),
        ("val_auc", "[val_auc, parameters]\npruner: median", 4, "knows one objective: leave it"),
        ("trials: 12", "trials: 0", 4, "greater than or equal to 1"),
        ("experiment: lens", "experiment: lense", 2, "there is no file"),
        ("training.batch_size:", "task:", 12, "is not a key that is tried"),
    ],
)
def test_what_is_refused_says_where(write, old, new, line, words):
    assert old in SEARCH
    with pytest.raises(ConfigurationError) as caught:
        load_search(write(SEARCH.replace(old, new)))
    message = str(caught.value).splitlines()[0]
    assert re.search(rf"search\.yaml:{line}: ", message) and words in message


def test_what_only_some_values_make_impossible_is_left_to_the_trial(write):
    """A warm-up of 3 epochs is too long for 2 and fits 5; one of 9 fits neither."""
    text = SEARCH + "  training.epochs: [2, 5]\n  training.schedule.warmup_epochs: [0, 3]\n"
    plan = load_search(write(text))
    values = drawn(plan, warmup_epochs=3)
    with pytest.raises(ConfigurationError, match="a warm-up of 3 epochs is longer"):
        plan.experiment(values)
    with pytest.raises(ConfigurationError, match=r"search\.yaml:17: .*warm-up of 9 epochs"):
        load_search(write(text.replace("[0, 3]", "[0, 9]")))


def test_the_example_of_the_documentation_is_a_search(write):
    page = (Path(__file__).parents[3] / "docs" / "searching.md").read_text()
    (example,) = re.findall(r"```yaml\n(name: .*?)```", page, re.DOTALL)
    plan = load_search(write(example.replace("my-lenses.yaml", "lens.yaml")))
    assert plan.trials == 40 and len(plan.space.parameters) == 8


def test_a_mistake_in_the_experiment_is_the_experiments(write):
    with pytest.raises(ConfigurationError, match=r"lens\.yaml:5: training\.epoch: unknown key"):
        load_search(write(experiment=EXPERIMENT.replace("epochs: 4", "epoch: 4")))


def test_a_trial_is_one_run(write):
    several = EXPERIMENT.replace("epochs: 4", "epochs: 4, seeds: [0, 1]")
    with pytest.raises(ConfigurationError, match=r"training\.seeds: a trial is one run"):
        load_search(write(experiment=several))


def test_a_search_of_an_experiment_that_is_based_on_another(write, tmp_path):
    (tmp_path / "base.yaml").write_text(EXPERIMENT)
    plan = load_search(write(experiment="base: base.yaml\ntraining: {epochs: 3}\n"))
    assert plan.longest == 3


def test_cma_es_needs_ranges(write):
    few = SEARCH.replace("sampler: tpe", "sampler: cma_es").partition("  training.batch_size")[0]
    with pytest.raises(ConfigurationError, match=r"search\.yaml:5: sampler: cma_es needs two"):
        load_search(write(few))


def test_conditions_in_a_circle(write):
    text = SEARCH.replace(
        "[adamw, sgd]", "{choices: [adamw, sgd], when: {training.optimizer.momentum: 0.5}}"
    )
    with pytest.raises(ConfigurationError, match=r"it depends on a parameter that depends on it"):
        load_search(write(text))
