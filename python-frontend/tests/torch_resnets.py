# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ResNets and RevNets in PyTorch, from the parameters of memrev's: an oracle that shares
the names of parameters with them, and no code.

Images are NCHW here. Running statistics are updated in place, in a copy of the state.
"""

import torch
import torch.nn.functional as F

from memrev import tree


def units(stage):
    """The units of a stage in order; those of a loop are taken apart."""
    result = []
    for key in sorted(stage):
        if "block" in stage[key]:
            stacked = stage[key]["block"]
            count = len(tree.leaves(stacked)[0])
            result += [tree.map(lambda a, i=i: a[i], stacked) for i in range(count)]
        else:
            result.append(stage[key])
    return result


class Net:
    """What the families share. `memcnn` has symmetric padding and PyTorch's batch norm;
    without it they are TensorFlow's."""

    def __init__(self, memcnn=True, train=True):
        self.memcnn, self.train = memcnn, train
        self.momentum, self.epsilon = (0.1, 1e-5) if memcnn else (0.01, 1e-3)

    def conv(self, x, weight, stride=1):
        weight = weight.permute(3, 2, 0, 1)
        window = weight.shape[-1]
        if self.memcnn:
            return F.conv2d(x, weight, stride=stride, padding=window // 2)
        return F.conv2d(self.pad(x, window, stride), weight, stride=stride)

    @staticmethod
    def pad(x, window, stride, value=0.0):
        """TensorFlow's padding: ceil(n / stride) outputs, the odd zero behind."""
        total = [max((-(-n // stride) - 1) * stride + window - n, 0) for n in x.shape[2:]]
        top, left = total[0] // 2, total[1] // 2
        return F.pad(x, (left, total[1] - left, top, total[0] - top), value=value)

    def norm(self, x, p, s):
        if self.train and not self.memcnn:
            with torch.no_grad():
                for name, value in (("mean", x.mean((0, 2, 3))),
                                    ("variance", x.var((0, 2, 3), correction=0))):
                    s[name].mul_(1 - self.momentum).add_(self.momentum * value)
            return F.batch_norm(x, None, None, p["scale"], p["offset"], True, 0, self.epsilon)
        return F.batch_norm(x, s["mean"], s["variance"], p["scale"], p["offset"], self.train,
                            self.momentum, self.epsilon)

    def function(self, x, p, s, stride=1):
        """A residual function: (norm, ReLU, convolution) two or three times."""
        count = 3 if "conv3" in p else 2
        strided = 1 if count == 2 or not self.memcnn else 2
        for i in range(1, count + 1):
            if f"norm{i}" in p:
                x = F.relu(self.norm(x, p[f"norm{i}"], s[f"norm{i}"]))
            x = self.conv(x, p[f"conv{i}"]["weight"], stride if i == strided else 1)
        return x

    def residual(self, x, p, s, stride):
        y = self.function(x, p["function"], s["function"], stride)
        if "shortcut" in p:
            x = self.norm(self.conv(x, p["shortcut"]["weight"], stride), p["shortcut_norm"],
                          s["shortcut_norm"])
        return y + x

    def coupling(self, x, p, s):
        x1, x2 = x.chunk(2, 1)
        y1 = x1 + self.function(x2, p["f"], s["f"])
        return torch.cat([y1, x2 + self.function(y1, p["g"], s["g"])], 1)

    def transition(self, x, p, s, stride):
        def shortcut(x, name, channels):
            if name in p:
                return self.conv(x, p[name]["weight"], stride)
            zeros = (channels - x.shape[1]) // 2
            return F.pad(F.avg_pool2d(x, stride), (0, 0, 0, 0, zeros, zeros))

        x1, x2 = x.chunk(2, 1)
        y1 = self.function(x2, p["f"], s["f"], stride)
        channels = y1.shape[1]
        y1 = y1 + shortcut(x1, "shortcut1", channels)
        y2 = self.function(y1, p["g"], s["g"]) + shortcut(x2, "shortcut2", channels)
        return torch.cat([y1, y2], 1)

    def unit(self, x, p, s, stride):
        if "function" in p:
            return self.residual(x, p, s, stride)
        channels = x.shape[1] // 2
        first = p["f"]["conv1"]["weight"]
        last = p["f"]["conv3" if "conv3" in p["f"] else "conv2"]["weight"]
        if stride == 1 and first.shape[2] == last.shape[3] == channels:
            return self.coupling(x, p, s)
        return self.transition(x, p, s, stride)

    def __call__(self, p, s, x, pool=False):
        """Images NHWC to logits."""
        x = x.permute(0, 3, 1, 2)
        x = self.conv(x, p["stem"]["weight"], 2 if pool else 1)
        x = F.relu(self.norm(x, p["stem_norm"], s["stem_norm"]))
        if pool:
            x = F.max_pool2d(self.pad(x, 3, 2, -torch.inf), 3, 2)
        for number in sorted(p["stages"]):
            pairs = zip(units(p["stages"][number]), units(s["stages"][number]))
            for i, (unit, state) in enumerate(pairs):
                x = self.unit(x, unit, state, 2 if i == 0 and number > 0 else 1)
        x = F.relu(self.norm(x, p["norm"], s["norm"])).mean((2, 3))
        return x @ p["head"]["weight"] + p["head"]["bias"]
