# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Run by test_memory.py with malloc_counter preloaded: compiles the gradients of
the digits network, calls them, and prints what the memory report and what the
counter say as JSON.

usage: memory_probe.py BLOCKS UNROLLED POLICY
"""

import ctypes
import dataclasses
import json
import sys
import threading

import numpy as np

import memrev
import model

BATCH = 16
# Python needs some of it; a compiled function may not use 64 KiB.
STACK_BYTES = 256 << 10
COUNTER = ctypes.CDLL(None)


def peak_of(call):
    """(peak bytes beyond those live before, large allocations, result)."""
    for name in ("live", "peak", "large"):
        getattr(COUNTER, f"malloc_counter_{name}").restype = ctypes.c_long
    before = COUNTER.malloc_counter_live()
    COUNTER.malloc_counter_start()
    result = call()
    return (COUNTER.malloc_counter_peak() - before,
            COUNTER.malloc_counter_large(), result)


def main(blocks, unrolled, policy):
    arch = dataclasses.replace(model.DIGITS, blocks=(blocks // 2, blocks // 2))
    module = model.Module(arch, BATCH, unrolled=unrolled, policy=policy)
    text = module.text("gradients") + """
func.func @nothing(%x: f32) -> f32 {
  return %x : f32
}
"""
    # One thread: the stacks of others do not come from malloc.
    program = memrev.compile(text, threads=1)
    initial = model.initialize(arch, 0, unrolled=unrolled)
    arguments = [np.zeros((BATCH, 8, 8, 1), np.float32), np.zeros(BATCH, np.int32),
                 *(initial[p.name] for p in module.parameters)]
    program["nothing"](0.0)  # Loads the code.
    function = program["gradients"]
    measured = []

    def call():
        for _ in range(2):
            measured.append(peak_of(lambda: function(*arguments)))

    threading.stack_size(STACK_BYTES)
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    results = measured[0][2]
    report = next(entry for entry in program.memory_report()
                  if entry["function"] == "gradients")
    parameter_bytes = sum(initial[p.name].nbytes for p in module.parameters)
    print(json.dumps({
        "peak_bytes": report["peak_bytes"],
        "argument_bytes": report["argument_bytes"],
        "result_bytes": report["result_bytes"],
        "workspace_bytes": report["workspace_bytes"],
        "given_bytes": sum(a.nbytes for a in arguments),
        "returned_bytes": sum(r.nbytes for r in results),
        "parameter_bytes": parameter_bytes,
        "statistics_bytes": 4 * sum(int(np.prod(s.shape))
                                    for s in module.statistics),
        "measured_bytes": measured[0][0],
        "large_results": sum(r.nbytes >= 4096 for r in results),
        "large_first": measured[0][1],
        "large_second": measured[1][1],
    }))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] == "True", sys.argv[3])
