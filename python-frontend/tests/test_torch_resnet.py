# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MemCNN's networks: parameter counts of the published table, names of the
parameters, and gradients of whole networks."""

import pytest
import torch
from torch.nn import functional

from memrev.torch.models import resnet
from torch_cases import assert_close, set_disabled

pytestmark = pytest.mark.usefixtures("in_pytorch")

SMALL = dict(strides=[1, 1, 2, 2], init_kernel_size=3, batch_norm_fix=False)
# (block, blocks of each stage, channels, parameters with 10 and with 100 classes)
NETWORKS = {
    "resnet32": (resnet.BasicBlock, 5, [16, 16, 32, 64], 466906, 472756),
    "resnet110": (resnet.BasicBlock, 18, [16, 16, 32, 64], 1730714, 1736564),
    "resnet164": (resnet.Bottleneck, 18, [16, 16, 32, 64], 1704154, 1727284),
    "revnet38": (resnet.RevBasicBlock, 3, [32, 32, 64, 112], 573994, 584164),
    "revnet110": (resnet.RevBasicBlock, 9, [32, 32, 64, 128], 1854890, 1866500),
    "revnet164": (resnet.RevBottleneck, 9, [32, 32, 64, 128], 1983786, 2029956),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("classes", [10, 100])
def test_parameter_counts(name, classes):
    block, layers, channels, *counts = NETWORKS[name]
    with torch.device("meta"):
        net = resnet.ResNet(block, [layers] * 3, classes, channels, **SMALL)
    assert sum(p.numel() for p in net.parameters()) == counts[classes == 100]


@pytest.mark.parametrize("name", ["revnet38", "revnet164"])
def test_gradients(name):
    torch.manual_seed(0)
    block, _, channels, *_ = NETWORKS[name]
    net = resnet.ResNet(block, [3, 2, 2], 10, channels, **SMALL).double()
    x, labels = torch.randn(4, 3, 16, 16, dtype=torch.double), torch.tensor([1, 2, 3, 9])
    results = []
    state = {key: value.clone() for key, value in net.state_dict().items()}
    for disable in (False, True):
        net.load_state_dict(state)
        set_disabled(net, disable)
        loss = functional.cross_entropy(net(x), labels)
        found = torch.autograd.grad(loss, list(net.parameters()))
        results.append(([loss, *net.buffers()], found))
    for value, expected in zip(results[0][0], results[1][0]):
        assert torch.equal(value, expected)
    assert_close(results[0][1], results[1][1], 1e-10)


@pytest.mark.parametrize("block", ["BasicBlock", "Bottleneck", "RevBasicBlock", "RevBottleneck"])
def test_four_stages(block):
    net = resnet.ResNet(getattr(resnet, block), [2, 2, 2, 2], 7, init_max_pool=True).eval()
    with torch.no_grad():
        assert net(torch.ones(1, 3, 64, 64)).shape == (1, 7)
    bn = net.bn1
    assert (bn.momentum, bn.eps) == (0.99, 0.001)
    assert net.layer4[0].downsample[0].stride == (2, 2)


def test_names():
    """Those of MemCNN's checkpoints."""
    net = resnet.ResNet(resnet.RevBasicBlock, [2, 1, 1], 10, [8, 8, 16, 16], **SMALL)
    names = list(net.state_dict())
    assert names[:7] == ["conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean",
                         "bn1.running_var", "bn1.num_batches_tracked",
                         "layer1.0.revblock._fn.Gm.conv1.weight"]
    assert "layer1.1.revblock._fn.Fm.bn1.weight" in names
    assert "layer1.0.revblock._fn.Fm.bn1.weight" not in names  # After the stem's ReLU.
    assert "layer2.0.basicblock_sub.conv2.weight" in names
    assert "layer2.0.downsample.1.running_var" in names
    assert names[-2:] == ["fc.weight", "fc.bias"] and "bn_final.weight" in names


def test_initial_weights():
    torch.manual_seed(0)
    net = resnet.ResNet(resnet.BasicBlock, [1, 1, 1], 10, [64, 64, 64, 64], **SMALL)
    weight = net.layer2[0].basicblock_sub.conv1.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    assert abs(weight.mean().item()) < 1e-3
    assert (net.bn1.weight == 1).all() and (net.bn1.bias == 0).all()


def test_wrong_lengths():
    for layers, options, message in (
        ([1, 1], {}, "layers expects 3 or 4 stages, but got 2"),
        ([1, 1, 1], {"strides": [1, 2]}, "strides expects 4 values.*but got 2"),
        ([1, 1, 1, 1], {"channels_per_layer": [8] * 4}, "channels_per_layer expects 5 values"),
    ):
        with pytest.raises(ValueError, match=message):
            resnet.ResNet(resnet.BasicBlock, layers, **options)
