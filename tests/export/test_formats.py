"""What is refused before any work."""

import importlib.util

import pytest

from lensnet.errors import ConfigurationError
from lensnet.export.formats import check_format
from lensnet.export.target import check_target


@pytest.mark.parametrize(
    ("name", "quantize", "message"),
    [
        ("tflite", None, 'There is no format "tflite". Formats: saved_model, keras, litert, onnx.'),
        ("litert", "int4", 'There is no quantisation "int4". Choose of float16, int8.'),
        ("onnx", "int8", "int8 is for litert; onnx is written in float32. Leave --quantize out"),
    ],
)
def test_a_format_that_cannot_be_made(name, quantize, message):
    with pytest.raises(ConfigurationError) as refused:
        check_format(name, quantize)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("name", "missing", "message"),
    [
        ("onnx", {"tf2onnx"}, "needs tf2onnx, which is not installed: pip install 'lensnet[onnx]'"),
        (
            "litert",
            {"ai_edge_litert", "ai_edge_quantizer"},
            "needs ai_edge_litert and ai_edge_quantizer, which are not installed: "
            "pip install 'lensnet[litert]'",
        ),
    ],
)
def test_a_package_that_is_missing_is_told_with_its_extra(name, missing, message, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: package not in missing or None)
    with pytest.raises(ConfigurationError) as refused:
        check_format(name, None)
    assert message in str(refused.value)


def test_an_export_is_a_folder(tmp_path):
    with pytest.raises(ConfigurationError, match=r"model\.onnx lies beside lensnet\.json"):
        check_target(tmp_path, "onnx", tmp_path / "lenses.onnx", overwrite=False)
    named = check_target(tmp_path, "saved_model", tmp_path / "lenses.v1", overwrite=False)
    assert named == tmp_path / "lenses.v1"


def test_each_quantisation_has_a_folder_of_its_own(tmp_path):
    folder = check_target(tmp_path, "litert", None, quantize="int8", overwrite=False)
    assert folder == tmp_path / "export" / "litert_int8"
