"""The main job: a network that is trained by inversion learns to read digits."""

import os
import re
import subprocess
import sys

import conftest


def test_digits(tmp_path):
    script = conftest.ROOT / "examples" / "digits" / "train.py"
    environment = dict(os.environ, PYTHONPATH=str(conftest.ROOT / "python-frontend"))
    result = subprocess.run(
        [sys.executable, script, "--seeds", "1", "--depths", "4", "8",
         "--output", tmp_path],
        env=environment, stdout=subprocess.PIPE, text=True, check=True)
    accuracy = re.search(r"seed 0: ([\d.]+) % of the 450 test digits", result.stdout)
    assert float(accuracy.group(1)) >= 97
    assert "| 8 | invert |" in (tmp_path / "depth.md").read_text()
    assert (tmp_path / "depth.png").read_bytes().startswith(b"\x89PNG")
