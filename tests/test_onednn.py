"""What `import lensnet` sets for TensorFlow, and what it never changes."""

import logging
import os
import platform
import subprocess
import sys
import types

import pytest

from lensnet import onednn

on_x86 = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="TensorFlow decides otherwise"
)


def setting_after_import(given):
    """The variable in a process that imports lensnet, and in one that it starts."""
    environment = {name: value for name, value in os.environ.items() if name != onednn.VARIABLE}
    if given is not None:
        environment[onednn.VARIABLE] = given
    child = f"import os; print(os.environ.get('{onednn.VARIABLE}'))"
    code = f"import lensnet, subprocess, sys; {child}; sys.stdout.flush(); "
    code += f'subprocess.run([sys.executable, "-c", "{child}"])'
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    return done.stdout.split()


@on_x86
@pytest.mark.parametrize(("given", "then"), [(None, "1"), ("0", "0"), ("1", "1")])
def test_it_is_turned_on_unless_the_user_has_decided(given, then):
    assert setting_after_import(given) == [then, then]


@on_x86
@pytest.mark.parametrize(
    ("extensions", "lines"), [(["avx", "avx2", "fma"], 1), (["avx512_vnni"], 0), (None, 0)]
)
def test_advice_where_tensorflow_came_first(monkeypatch, caplog, extensions, lines):
    monkeypatch.delenv(onednn.VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow", types.ModuleType("tensorflow"))
    monkeypatch.setattr(onednn, "vector_extensions", lambda: extensions)
    with caplog.at_level(logging.WARNING):
        onednn.enable_onednn()
    assert len(caplog.records) == lines
    assert all("Import lensnet first" in record.getMessage() for record in caplog.records)
    assert onednn.VARIABLE not in os.environ, "it would have no effect, and mislead"


@on_x86
def test_the_processors_extensions_are_found():
    found = onednn.vector_extensions()
    if found is None:
        pytest.skip("this system has no /proc/cpuinfo")
    assert "sse4_2" in found
