# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Many steps of training beside PyTorch, on images in CIFAR's format."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import cifar_files
import memrev
from memrev import models, nn, optim, tree
from memrev.train import batches, cifar
from torch_resnets import Net


@pytest.mark.slow
def test_twenty_steps_equal_pytorch_that_stores_everything(tmp_path):
    dataset = cifar.DATASETS["cifar10"]
    cifar_files.write(tmp_path, dataset, train=60, test=10)
    train, _ = cifar.load(dataset, tmp_path)
    data = batches.TrainingBatches(train, batches.mean_image(train.pixels), 6, seed=3)
    # The images' scale is that of bytes, which f64 does not mind.
    model = models.revnet38(10)
    variables = model.init(0, np.float64)
    params, state = variables["params"], variables["state"]
    optimizer = optim.SGD(0.1, momentum=0.9, weight_decay=2e-4)

    @memrev.jit(donate=(0, 1, 2))
    def step(params, state, opt_state, images, labels):
        def loss_fn(params):
            logits, new_state = model.apply(params, state, images, train=True)
            return nn.cross_entropy(logits, labels).mean(), new_state

        (loss, new_state), grads = memrev.value_and_grad(loss_fn, has_aux=True)(params)
        params, opt_state = optimizer.update(grads, opt_state, params)
        return params, new_state, opt_state, loss

    tensors = tree.map(lambda a: torch.tensor(a).requires_grad_(), params)
    statistics = tree.map(torch.tensor, state)
    sgd = torch.optim.SGD(tree.leaves(tensors), lr=0.1, momentum=0.9, weight_decay=2e-4)
    opt_state = optimizer.init(params)
    for i in range(20):
        images, labels = data.batch(i)
        images = images.astype(np.float64)
        params, state, opt_state, loss = step(params, state, opt_state, images, labels)
        sgd.zero_grad()
        expected = F.cross_entropy(Net()(tensors, statistics, torch.tensor(images)),
                                   torch.tensor(labels).long())
        expected.backward()
        sgd.step()
        np.testing.assert_allclose(loss, expected.item(), rtol=1e-8)
    for found, tensors in ((params, tensors), (state, statistics)):
        for path, a, b in zip(tree.structure(found).paths(), tree.leaves(found),
                              tree.leaves(tensors)):
            b = b.detach().numpy()
            assert np.abs(a - b).max() <= 1e-8 * max(np.abs(b).max(), 1), tree.path_name(path)
