"""docs/results.md is what the result files give, and says what they do not."""

import json

from results_page import page
from small_study_files import QUESTIONS, ROOT, Study

RUN = {
    "parameters": 700_000,
    "multiply_adds": 88_000_000,
    "rotation_std": {"right angles": 0.05, "8 angles": 0.08},
    "command": "",
    "environment": 0,
}
ENVIRONMENT = {"processor": "a processor", "usable_cpus": 2, "packages": {"keras": "3"}}


def run(network, seed, auc, curve):
    row = f"model_i/{network}/width-0.5/2400"
    tests = {"model_i": {"accuracy": auc - 0.1, "roc_auc": auc}}
    return {**RUN, "row": row, "seed": seed, "tests": tests, "curve": curve}


def written(folder, runs):
    content = {"environments": [ENVIRONMENT], "runs": runs}
    (folder / "small_symmetry.json").write_text(json.dumps(content))
    return page(folder)


def test_the_page_is_what_the_files_give():
    text, figures = page(ROOT / "benchmarks" / "results")
    assert (ROOT / "docs" / "results.md").read_text() == text, (
        "run python benchmarks/results_page.py"
    )
    for name in figures:
        assert (ROOT / "docs" / "figures" / f"{name}.png").is_file()


def test_what_is_not_measured_is_said_so(tmp_path):
    text, figures = page(tmp_path)
    assert text.count("Not measured yet") == len(QUESTIONS)
    targets = [line for line in text.splitlines() if line.endswith("| not measured |")]
    assert len(targets) > 8 and not figures


def test_means_spreads_and_ratios_are_those_of_the_runs(tmp_path):
    slow, fast = [[2400, 9.0, 0.8], [4800, 18.0, 0.94]], [[2400, 10.0, 0.95], [4800, 20.0, 0.96]]
    runs = [run("augmented", seed, auc, slow) for seed, auc in enumerate((0.92, 0.94, 0.96))]
    runs += [run("c4", seed, auc, fast) for seed, auc in enumerate((0.97, 0.97, 0.97))]
    text, figures = written(tmp_path, runs)
    row = next(line for line in text.splitlines() if line.startswith("| augmented |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:6] == ["augmented", "width-0.5", "2400", "3", "88.0", "700"]
    # 0.94 and the deviation of -2, 0, 2 hundredths.
    assert cells[6:8] == ["84.00 ± 2.00", "0.9400 ± 0.0200"]
    # 1 - AUC: 0.03 over 0.06; AUC 0.94 after half of the images.
    assert "| at most 0.5 | c4 0.50 (3 seeds) |" in text
    assert "model_i c4 0.50 (3 of 3 seeds)" in text
    assert "results_model_i_learning" in figures


def test_a_single_seed_has_no_spread(tmp_path):
    text, _ = written(tmp_path, [run("c4", 1, 0.95, [[2400, 1.0, 0.9]])])
    row = next(line for line in text.splitlines() if line.startswith("| c4 |"))
    assert "±" not in row and "never" in row
    commands = [row.command(1) for row in Study.load("symmetry").rows() if "/c4/" in row.name]
    assert commands[0] in text
