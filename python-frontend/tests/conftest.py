"""Makes the example's generator importable and the numbers repeatable."""

import pathlib
import sys

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples" / "digits"))

torch.set_num_threads(1)
