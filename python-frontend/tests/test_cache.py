# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The cache of compiled programs."""

import os
import subprocess
import sys
import time

import pytest

import conftest
import memrev
from memrev import _program, cache


def program(number):
    return f"""
func.func @f(%x: tensor<4xf64>) -> tensor<4xf64> {{
  %c = arith.constant dense<{number}.0> : tensor<4xf64>
  %y = arith.addf %x, %c : tensor<4xf64>
  return %y : tensor<4xf64>
}}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "cache" / "of programs"
    monkeypatch.setenv("MEMREV_CACHE_DIR", str(folder))
    monkeypatch.delenv("MEMREV_CACHE_BYTES", raising=False)
    return folder


@pytest.fixture
def compiled(monkeypatch):
    """The sources that were compiled, not found."""
    sources = []
    compile = _program._compile

    def record(source, options):
        sources.append(source)
        return compile(source, options)

    monkeypatch.setattr(_program, "_compile", record)
    return sources


def run(number, **options):
    import numpy as np
    module = memrev.compile(program(number), cache=True, **options)
    np.testing.assert_array_equal(module["f"](np.arange(4.0)), np.arange(4.0) + number)


def files(folder):
    return {path.name for path in folder.iterdir()}


def test_compiles_once(folder, compiled):
    for _ in range(3):
        run(1)
    assert len(compiled) == 1 and len(files(folder)) == 1
    run(2)
    run(1, threads=1)
    assert len(compiled) == 3 and len(files(folder)) == 3
    run(1)
    assert len(compiled) == 3
    # Without being asked for, nothing is kept or found.
    memrev.compile(program(1))
    memrev.compile(program(4))
    assert len(compiled) == 5 and len(files(folder)) == 3
    cache.clear()
    assert not files(folder)


def test_diagnostics_are_found_again(folder):
    """A cached program says what its compilation said."""
    first = memrev.compile(program(1), cache=True)
    again = memrev.compile(program(1), cache=True)
    assert again.diagnostics == first.diagnostics
    assert again.memory_report() == first.memory_report()


def test_errors_are_not_kept(folder, compiled):
    for _ in range(2):
        with pytest.raises(memrev.CompileError):
            memrev.compile("func.func @f(", cache=True)
    assert len(compiled) == 2 and not folder.exists()


def test_damaged_files_are_replaced(folder, compiled):
    run(1)
    path, = folder.iterdir()
    whole = path.read_bytes()
    for damaged in (b"", whole[:100], whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(damaged)
        run(1)
        assert path.read_bytes() == whole
    assert len(compiled) == 4


def test_no_folder_no_cache(monkeypatch, compiled):
    monkeypatch.setenv("MEMREV_CACHE_DIR", "")
    assert cache.directory() is None
    run(1)
    run(1)
    cache.clear()
    assert len(compiled) == 2


def test_default_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("MEMREV_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache.directory() == tmp_path / ".cache" / "memrev"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache.directory() == tmp_path / "caches" / "memrev"


def test_files_used_last_stay(folder, compiled, monkeypatch):
    run(0)
    path, = folder.iterdir()
    size = path.stat().st_size
    monkeypatch.setenv("MEMREV_CACHE_BYTES", str(4 * size + size // 2))
    names = [path.name]
    for number in range(1, 4):
        before = files(folder)
        run(number)
        names += files(folder) - before
    for age, name in enumerate(names):
        os.utime(folder / name, (1000 + age, 1000 + age))
    run(0)  # Now 1 is the oldest.
    run(4)
    assert names[1] not in files(folder) and {names[0], *names[2:]} < files(folder)
    assert sum(p.stat().st_size for p in folder.iterdir()) <= cache.limit()
    # A program that is larger than the cache leaves it as it is.
    monkeypatch.setenv("MEMREV_CACHE_BYTES", "100")
    before = files(folder)
    run(5)
    assert files(folder) == before


def test_limit_is_a_number(folder, monkeypatch):
    assert cache.limit() == 1 << 30
    monkeypatch.setenv("MEMREV_CACHE_BYTES", "much")
    with pytest.raises(ValueError, match="expects MEMREV_CACHE_BYTES to be a number of bytes, "
                                         "but got 'much'"):
        run(1)


def test_abandoned_files_are_removed(folder):
    run(1)
    now = time.time()
    for name, age in ((".old.memrev.x", 2 * 3600), (".new.memrev.x", 60)):
        (folder / name).write_bytes(b"part")
        os.utime(folder / name, (now - age, now - age))
    (folder / "something else").write_text("stays")
    run(2)
    assert ".old.memrev.x" not in files(folder)
    assert {".new.memrev.x", "something else"} < files(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder(folder):
    run(1)
    folder.chmod(0o500)
    run(1)
    with pytest.warns(RuntimeWarning, match="cannot keep compiled programs"):
        run(2)


def test_folder_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEMREV_CACHE_DIR", str(tmp_path / "file" / "folder"))
    with pytest.warns(RuntimeWarning, match="cannot keep compiled programs"):
        run(1)


def test_processes_at_once(folder, monkeypatch):
    """Processes that write, read and shrink one folder all have the right programs."""
    run(0)
    size = max(p.stat().st_size for p in folder.iterdir())
    script = """
import os, random, sys
sys.path.insert(0, sys.argv[1])
from test_cache import run
os.environ["MEMREV_CACHE_DIR"] = sys.argv[2]
random.seed(int(sys.argv[3]))
for _ in range(40):
    run(random.randrange(6))
"""
    environment = {**os.environ, "MEMREV_CACHE_BYTES": str(3 * size),
                   "PYTHONPATH": str(conftest.ROOT / "python-frontend")}
    tests = str(conftest.ROOT / "python-frontend" / "tests")
    processes = [
        subprocess.Popen([sys.executable, "-W", "error::RuntimeWarning", "-c", script, tests,
                          str(folder), str(i)],
                         env=environment, stderr=subprocess.PIPE, text=True)
        for i in range(3)]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert sum(p.stat().st_size for p in folder.iterdir()) <= 4 * size
    assert not [name for name in files(folder) if name.startswith(".")]
