import pytest

from lensnet.config.documents import dump, parse_document
from lensnet.errors import ConfigurationError


def content(text):
    return parse_document(text, "f.yaml").content


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # YAML 1.1 reads the first as False, the second as a string, the third as 60-based.
        ("no", "no"),
        ("1e-3", 0.001),
        ("12:30:45", "12:30:45"),
        ("010", 10),
        ("0x1F", 31),
        ("1.", 1.0),
        (".5", 0.5),
        ("-3", -3),
        ("true", True),
        ("null", None),
        ("", None),
        ("2024-01-01", "2024-01-01"),
        (".inf", float("inf")),
    ],
)
def test_scalars_follow_the_core_schema(text, value):
    assert content(f"key: {text}")["key"] == value
    assert type(content(f"key: {text}")["key"]) is type(value)


@pytest.mark.parametrize(
    "value",
    ["no", "1e-3", "true", "null", "", "~", "010", "on", 1e-3, 1e30, 5, True, None, [1, "a"]],
)
def test_what_is_dumped_is_read_back(value):
    assert content(dump({"key": value})) == {"key": value}


def test_keys_know_their_lines():
    document = parse_document("a: 1\nb:\n  c: 2\n  d: [1,\n      2]\n", "f.yaml")
    assert document.place(("b", "c")) == "f.yaml:3"
    assert document.place(("b", "d", 1)) == "f.yaml:5"
    assert document.place(("b", "missing")) == "f.yaml:2"


def test_a_doubled_key_is_an_error():
    with pytest.raises(ConfigurationError, match=r'f.yaml:2: the key "a" stands twice'):
        content("a: 1\na: 2\n")


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\tb: 1", "a: !!python/object:os.system x"])
def test_what_is_no_yaml_says_where(text):
    with pytest.raises(ConfigurationError, match=r"f.yaml(:\d+)?: not valid YAML"):
        content(text)


ALIASES = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
MERGES = [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 10)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a [*a]", "a part of"),
        ("a: &a {b: {c: *a}}", "a part of"),
        ("[" * 100_000, "nested too deeply"),
        ("- " * 100_000, "nested too deeply"),
        ("{a: " * 100_000, "nested too deeply"),
        ("[1" + ", 1" * 30_000 + "]", "more than 20,000 values"),
        ("\n".join(["a0: &a0 [x, x, x]", *ALIASES]), "more than 20,000 values"),
        ("\n".join(["a0: &a0 {x: 1}", *MERGES]), "more than 20,000 values"),
        ("? [a, b]\n: c", "a key is one word or number"),
        ("a: !!bool maybe", "not valid YAML"),
        ("a: !!timestamp x", "not valid YAML"),
        ("a: \0", "not valid YAML"),
    ],
    ids=lambda text: text[:12],
)
def test_documents_that_never_end_are_refused_in_one_line(text, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        content(text)
    assert str(caught.value).startswith("f.yaml") and "\n" not in str(caught.value)


def test_aliases_and_merges_as_people_write_them():
    assert content("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: *a") == {
        "a": {"x": 1},
        "b": {"x": 1, "y": 2},
        "c": {"x": 1},
    }
