#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Feeds damaged programs to the tools and reports those that crash one.

usage: fuzz.py [--seconds N] [--seed N] [--keep FOLDER] BIN

The tests' programs are damaged by random edits of bytes, tokens, lines and whole
functions, and run through memrev-opt and memrev-compile of the folder BIN, best
from the build with sanitizers. A tool may reject a program or accept it; it may
not crash, fail an assertion, trip a sanitizer or hang, other than in upstream's
parser, where stock mlir-opt does so as well. Inputs that do are kept as files, one
for each place in memrev that fails. Exits with 1 if there is one.
"""

import argparse
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
SEPARATOR = "\n// -----\n"
# A batch of programs is one call of memrev-opt, for starting it costs most.
BATCH = 40
TIMEOUT = 60
SYMPTOMS = re.compile(
    "AddressSanitizer|UndefinedBehaviorSanitizer|LeakSanitizer|runtime error:|"
    "Assertion|PLEASE submit a bug report|LLVM ERROR|UNREACHABLE|terminate called")
TOKEN = re.compile(r"[%@^#!]?[\w.$]+|\S")
# What edits put in place of a token: types, numbers and words that mean something.
WORDS = [
    "f16", "f32", "f64", "bf16", "i1", "i32", "index", "none", "tensor<4xf32>",
    "tensor<?xf32>", "tensor<0xf32>", "tensor<f64>", "tensor<*xf32>",
    "tensor<4x4xi32>", "memref<4xf32>", "vector<4xf32>", "complex<f32>",
    "tuple<>", "-1", "0", "1", "9223372036854775807", "1.0e400", "0x7FC00000",
    "[0]", "[]", "[0, 0]", "()", "{}", "additive", "affine<exp>",
    "affine<identity>", "affine<soft_tanh, alpha = 0.5>", "log_det", "wrt [0]",
    "of [0]", "policy(store)", "policy(invert)", "given()", "epsilon 0.0",
    "rev.vjp", "rev.inverse", "rev.log_det", "inverse_of<affine<exp>>",
     "rev.value_and_grad", "rev.coupling", "rev.yield",
    "arith.addf", "math.exp", "tensor.empty()", "private", "return",
]


def programs():
    """The programs of the tests, one for each part of a split file."""
    result = []
    for file in sorted((ROOT / "test").rglob("*.mlir")):
        result += file.read_text().split("// -----")
    return [text for text in result if "func" in text]


def functions(text):
    """The functions of a program, as text."""
    return re.split(r"(?m)^(?=func\.func)", text)


def damage(text, others, rng):
    """`text` after a few random edits."""
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        kind = rng.randrange(9)
        tokens = list(TOKEN.finditer(text))
        if not tokens:
            return text
        token = rng.choice(tokens)
        start, end = token.span()
        if kind == 0:  # a byte
            position = rng.randrange(len(text))
            text = text[:position] + chr(rng.randrange(1, 127)) + text[position + 1:]
        elif kind == 1:  # a token is lost
            text = text[:start] + text[end:]
        elif kind == 2:  # a token becomes another of the program
            text = text[:start] + rng.choice(tokens).group() + text[end:]
        elif kind == 3:  # or a word of the list
            text = text[:start] + rng.choice(WORDS) + text[end:]
        elif kind == 4:  # or stands twice
            text = text[:end] + " " + token.group() + text[end:]
        elif kind in (5, 6):  # a line is lost, or moves
            lines = text.split("\n")
            line = lines.pop(rng.randrange(len(lines)))
            if kind == 6:
                lines.insert(rng.randrange(len(lines) + 1), line)
            text = "\n".join(lines)
        elif kind == 7:  # a function is lost, or comes from elsewhere
            parts = functions(text)
            parts.pop(rng.randrange(len(parts)))
            if rng.random() < 0.5:
                parts.append(rng.choice(functions(rng.choice(others))))
            text = "".join(parts)
        else:  # all of a type become another
            types = re.findall(r"tensor<[^<>]*>|\bf32\b|\bf64\b|\bi32\b", text)
            if types:
                text = text.replace(rng.choice(types), rng.choice(types + WORDS[:17]))
    return text


def failure(command, text):
    """What is wrong with how `command` treats `text`, or None."""
    with tempfile.NamedTemporaryFile("w", suffix=".mlir") as file:
        file.write(text)
        file.flush()
        try:
            result = subprocess.run(
                [*command, file.name], stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, timeout=TIMEOUT, errors="replace")
        except subprocess.TimeoutExpired:
            return f"no answer within {TIMEOUT} s"
    symptom = SYMPTOMS.search(result.stderr)
    # A message quotes the program, in which such a word proves nothing.
    if result.returncode < 0 or result.returncode > 125:
        return f"exited with {result.returncode}:\n{result.stderr}"
    if symptom and symptom.group() not in text:
        return result.stderr
    return None


def is_upstream(message):
    """Whether a crash is in upstream's parser, with nothing of memrev above it
    on the stack: stock mlir-opt crashes on the same text."""
    above, parser, _ = message.partition("parseAsmSourceFile")
    return bool(parser) and "memrev::" not in above


def place(message):
    """Where in memrev a failure is: what makes two failures the same."""
    frames = re.findall(r"#\d+ 0x[0-9a-f]+ (?:in )?(\S*memrev::[^(]*)", message)
    return frames[0] if frames else re.sub(r"0x[0-9a-f]+|\d+", "", message)[:300]


def commands(tools):
    """(command, whether it takes a batch) for each way to run a program."""
    opt = [str(tools / "memrev-opt"), "-allow-unregistered-dialect",
           "-split-input-file"]
    result = [([*opt, *passes], True) for passes in (
        [], ["-verify-roundtrip"], ["--convert-rev-to-linalg"],
        ["--rev-differentiate"], ["--rev-differentiate", "--convert-rev-to-linalg"],
        ["--rev-differentiate=function=f wrt=0 mode=split"])]
    driver = tools / "memrev-compile"
    if driver.exists():
        result += [([str(driver), *options], False) for options in (
            ["--until=bufferize", "--emit=mlir"], ["--emit=obj", "-o", os.devnull],
            ["--report=memory"],
            ["--target=cuda", "--chip=sm_90", "--emit=ptx", "-o", os.devnull])]
    return result


def fuzz(tools, seconds, seed, keep):
    rng = random.Random(seed)
    corpus = programs()
    ways = commands(tools)
    deadline = time.monotonic() + seconds
    tried, upstream, places = 0, 0, set()
    while time.monotonic() < deadline:
        command, batched = rng.choice(ways)
        texts = [damage(rng.choice(corpus), corpus, rng)
                 for _ in range(BATCH if batched else 1)]
        tried += len(texts)
        if not failure(command, SEPARATOR.join(texts)):
            continue
        # Those of the batch that fail alone; all of it, if none does.
        alone = [t for t in texts if len(texts) == 1 or failure(command, t)]
        for text in alone or [SEPARATOR.join(texts)]:
            message = failure(command, text)
            if is_upstream(message):
                upstream += 1
                continue
            if place(message) in places:
                continue
            places.add(place(message))
            keep.mkdir(parents=True, exist_ok=True)
            path = keep / f"failure-{seed}-{len(places)}.mlir"
            path.write_text(text)
            print(f"{path}: {' '.join(command)}\n{message[-6000:]}", flush=True)
    print(f"{tried} programs, {len(places)} different failures, and {upstream} "
          "programs that crash upstream's parser")
    return 1 if places else 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools", metavar="BIN", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=pathlib.Path, default=ROOT / "build" / "fuzz")
    options = parser.parse_args()
    return fuzz(options.tools, options.seconds, options.seed, options.keep)


if __name__ == "__main__":
    sys.exit(main())
