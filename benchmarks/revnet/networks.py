"""The networks that are measured."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]
                       / "examples" / "digits"))

import model  # noqa: E402

NETWORKS = {
    "digits": model.DIGITS,
    # The widths and blocks of MemCNN's RevNet-38 for CIFAR: 3 units a stage, of
    # which the first of stages 2 and 3 is the strided residual block.
    "revnet38": model.Architecture(height=32, width=32, colors=3, classes=10,
                                   channels=(32, 64, 112), blocks=(3, 2, 2)),
}
BATCHES = {"digits": 64, "revnet38": 32}
