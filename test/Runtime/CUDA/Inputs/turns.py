# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Counts what became of the calls of `runtime.py many_buffers` in the trace of a driver."""

import sys

text = open(sys.argv[1]).read()
graphs = largest = 0
for part in text.split("sets ")[1:]:
    count, calls = part.split("\n", 1)
    runs = records = replays = 0
    for call in calls.split("turn ")[1:]:
        recorded = "cuStreamBeginCapture_v2" in call
        launched = "cuLaunchKernel" in call
        records += recorded
        runs += launched and not recorded
        replays += not launched
        for line in call.splitlines():
            graphs += line.startswith("cuGraphInstantiateWithFlags")
            graphs -= line.startswith("cuGraphExecDestroy")
            largest = max(largest, graphs)
    total = runs + records + replays
    if runs == int(count):
        print(f"{count} sets: {runs} runs, {records} records, {replays} replays")
    else:
        share = "most" if 2 * replays > total else "some" if 5 * replays > total else "few"
        print(f"{count} sets: {share} of {total} calls replay, never more than {largest} graphs")
print(f"{graphs} graphs are left")
