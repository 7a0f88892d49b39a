# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Wrapped modules in DistributedDataParallel: two processes get the gradients of one."""

import os
import pathlib
import subprocess
import sys
import textwrap

SCRIPT = textwrap.dedent('''
    import sys
    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel
    from torch_cases import assert_close, blocks_without_statistics, images

    rank, path = int(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method="file://" + path, rank=rank, world_size=2)
    for unused in (False, True):
        torch.manual_seed(0)
        net = blocks_without_statistics()
        if unused:
            net[0]._fn.Fm.register_parameter("unused", torch.nn.Parameter(torch.ones(2)))
        parallel = DistributedDataParallel(net, find_unused_parameters=unused)
        x = images(batch=4)
        for step in range(3):
            net.zero_grad()
            parts = x.chunk(2)
            parallel(parts[rank]).square().sum().backward()
            loss = sum(net(part).square().sum() for part in parts) / 2
            expected = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)
            for parameter, gradient in zip(net.parameters(), expected):
                if gradient is None:
                    assert unused and (parameter.grad is None or not parameter.grad.any())
                else:
                    assert_close([parameter.grad], [gradient])
    dist.destroy_process_group()
''')


def test_two_processes(tmp_path):
    here = pathlib.Path(__file__).parent
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(here), str(here.parent), environment.get("PYTHONPATH", "")])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(rank), str(tmp_path / "store")],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(outputs)
