#!/usr/bin/env python3
# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes mistakes in derivative rules mechanically and reports those no check notices.

usage: mutate.py --tree=DIR [--programs=N] [--files=TEXT] [--survivors=FILE]

DIR is a copy of this tree with a build folder in it (`git clone`, then cmake with the
options of the tree's own build); its sources are changed and put back. In each file of
rules, and in what memrev-tblgen makes of the table of scalar rules, every place that
adds a contribution or builds a product is found, and what can go wrong there is
compiled in: the contribution is dropped, negated or scaled by 1.001, operands that are
not interchangeable are swapped, a comparison is turned round. The environment variable
MEMREV_MUTANT says which mistake is made, so that all of them are one build.

First memrev-fuzz-autodiff notes which mistakes each program reaches; then each is
checked with the programs that reach it. Mistakes that are none (equivalent mutants) are
listed with the reason in equivalent-mutants.txt next to this script. Exits with 1 if a
mistake survives that is not listed.
"""

import argparse
import collections
import os
import pathlib
import re
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
TABLES = ["ArithRules.inc", "MathRules.inc", "ComplexRules.inc"]

# Stands at the top of every file with mistakes. The functions have to be the same
# object in all of them: the programs that reach a mistake are noted once.
HELPERS = r"""
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"
#include <cstdlib>
#include <set>
#include <unistd.h>
[[maybe_unused]] inline bool memrevMutant(int number) {
  static const char *chosen = std::getenv("MEMREV_MUTANT");
  static const int mutant = chosen ? std::atoi(chosen) : -1;
  static const bool traces = std::getenv("MEMREV_MUTANT_TRACE") != nullptr;
  static std::set<int> reached;
  if (traces && reached.insert(number).second) {
    std::string text = "mutant " + std::to_string(number) + "\n";
    (void)!write(2, text.data(), text.size());
  }
  return number == mutant;
}
[[maybe_unused]] inline mlir::Value
memrevScaled(mlir::OpBuilder &b, mlir::Value value, double factor) {
  using namespace mlir;
  if (!value)
    return value;
  if (auto type = dyn_cast<ComplexType>(value.getType())) {
    Type element = type.getElementType();
    Value constant = complex::ConstantOp::create(
        b, value.getLoc(), type,
        b.getArrayAttr({b.getFloatAttr(element, factor),
                        b.getFloatAttr(element, 0)}));
    return complex::MulOp::create(b, value.getLoc(), value, constant);
  }
  if (!isa<FloatType>(getElementTypeOrSelf(value.getType())))
    return value;
  Location loc = value.getLoc();
  TypedAttr scalar =
      b.getFloatAttr(getElementTypeOrSelf(value.getType()), factor);
  Value constant;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type) {
    constant = arith::ConstantOp::create(b, loc, scalar);
  } else if (type.hasStaticShape()) {
    constant = arith::ConstantOp::create(
        b, loc, DenseElementsAttr::get(type, Attribute(scalar)));
  } else {
    SmallVector<Value> sizes;
    for (auto [dim, extent] : llvm::enumerate(type.getShape()))
      if (ShapedType::isDynamic(extent))
        sizes.push_back(tensor::DimOp::create(b, loc, value, dim));
    Value one = arith::ConstantOp::create(b, loc, scalar);
    constant = tensor::SplatOp::create(b, loc, one, type, sizes);
  }
  return arith::MulFOp::create(b, loc, value, constant);
}
// Mistakes `number` to `number` + 2.
[[maybe_unused]] inline mlir::Value
memrevMutate(int number, mlir::OpBuilder &b, mlir::Value value) {
  if (memrevMutant(number))
    return memrevScaled(b, value, -1.0);
  if (memrevMutant(number + 1))
    return memrevScaled(b, value, 1.001);
  if (memrevMutant(number + 2))
    return memrevScaled(b, value, 0.0);
  return value;
}
"""

CONTRIBUTION = re.compile(
    r"\b(\w+)(\.|->)(accumulate|setCotangent|addTangent|setTangent)\(")
CREATE = re.compile(
    r"\b(?:arith::|math::)(AddF|SubF|MulF|DivF|NegF|PowF|Atan2|Select|FPowI)Op::create\(")
PREDICATE = re.compile(r"\barith::CmpFPredicate::(OGT|OLT|OGE|OLE|UGT|ULT|UGE|ULE)\b(?!>)")
OPPOSITE = {"OGT": "OLT", "OLT": "OGT", "OGE": "OLE", "OLE": "OGE",
            "UGT": "ULT", "ULT": "UGT", "UGE": "ULE", "ULE": "UGE"}
RETURN = re.compile(r"\breturn ((?:v\d+|point\.[^;{}]+));")


class Mutant:
    def __init__(self, number, file, line, what, text):
        self.number = number
        self.file = file
        self.line = line
        self.what = what
        self.text = " ".join(text.split())

    def key(self):
        """What names the mistake whatever the line."""
        return f"{self.file}: {self.what}: {self.text}"


def close(text, start):
    """The position of the parenthesis that closes the one before `start`."""
    depth, position, quote = 1, start, None
    while position < len(text):
        c = text[position]
        if quote:
            if c == "\\":
                position += 1
            elif c == quote:
                quote = None
        elif c in "\"'" and not (c == "'" and text[position - 1].isdigit()):
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return None


def split(text):
    """The arguments of a call."""
    parts, depth, start, position = [], 0, 0, 0
    while position < len(text):
        c = text[position]
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
        position += 1
    last = text[start:].strip()
    return parts + [last] if last else parts


class Mutator:
    """Changes one file after the other."""

    def __init__(self):
        self.mutants = []

    def add(self, file, line, text, *whats):
        first = len(self.mutants) + 1
        for what in whats:
            self.mutants.append(Mutant(len(self.mutants) + 1, file, line, what, text))
        return first

    def wrap(self, file, line, text, value, builder, where):
        number = self.add(file, line, text, f"negate {where}", f"scale {where}",
                          f"drop {where}")
        return f"memrevMutate({number}, {builder}, {value})"

    def rewrite(self, text, file, line=1):
        """`text` with mistakes. Calls in calls have theirs, too."""
        result, position = [], 0
        while True:
            found = [m for m in (CONTRIBUTION.search(text, position),
                                 CREATE.search(text, position),
                                 PREDICATE.search(text, position)) if m]
            if file in TABLES:
                found += [m for m in [RETURN.search(text, position)] if m]
            if not found:
                break
            match = min(found, key=lambda m: m.start())
            here = line + text.count("\n", 0, match.start())
            result.append(text[position:match.start()])
            if match.re is PREDICATE:
                context = self.place(text, match.start()) if file in TABLES else ""
                number = self.add(file, here, context + match[0], "turn round")
                other = match[0].replace(match[1], OPPOSITE[match[1]])
                result.append(f"(memrevMutant({number}) ? {other} : {match[0]})")
                position = match.end()
                continue
            if match.re is RETURN:
                result.append("return " + self.wrap(
                    file, here, self.place(text, match.start()) + match[0], match[1],
                    "point.builder", "result") + ";")
                position = match.end()
                continue
            end = close(text, match.end())
            if end is None:
                break
            whole = text[match.start():end + 1]
            line_of = lambda part: here + whole.count("\n", 0, max(whole.find(part), 0))
            arguments = [self.rewrite(part, file, line_of(part))
                         for part in split(text[match.end():end])]
            position = end + 1
            head = text[match.start():match.end()]
            if match.re is CONTRIBUTION:
                if len(arguments) == 2 and arguments[1] not in ("{}", "Value()", "nullptr"):
                    builder = f"{match[1]}{match[2]}getBuilder()"
                    arguments[1] = self.wrap(file, here, whole, arguments[1], builder,
                                             match[3])
                result.append(head + ", ".join(arguments) + ")")
                continue
            context = self.place(text, match.start()) if file in TABLES else ""
            operands = 1 if len(arguments) < 2 else \
                2 if re.search(r"\bloc\b|getLoc\(\)|Loc\b|\.loc\b", arguments[1]) else 1
            if match[1] in ("AddF", "SubF", "MulF", "DivF") and \
                    len(arguments) == operands + 2 and file not in TABLES:
                arguments[-1] = self.wrap(file, here, whole, arguments[-1], arguments[0],
                                          match[1])
            if match[1] in ("SubF", "DivF", "PowF", "Atan2", "Select") and \
                    len(arguments) >= operands + 2:
                number = self.add(file, here, context + whole, f"swap {match[1]}")
                swapped = arguments[:-2] + [arguments[-1], arguments[-2]]
                result.append(f"(memrevMutant({number}) ? {head}{', '.join(swapped)}) : "
                              f"{head}{', '.join(arguments)}))")
            else:
                result.append(head + ", ".join(arguments) + ")")
        result.append(text[position:])
        return "".join(result)

    @staticmethod
    def place(text, position):
        """Which case of which table entry stands at `position`."""
        before = text[:position]
        entry = re.findall(r"(?:emit|solve)_(\w+)\(", before)
        case = re.findall(r"case (\d+):", before)
        return f"{entry[-1] if entry else ''} {case[-1] if case else ''}: "


def mutate(mutator, path, name):
    text = path.read_text()
    changed = mutator.rewrite(text, name)
    if name in TABLES:
        return changed if changed != text else None
    if changed == text:
        return None
    # Behind the last include.
    last = [m.end() for m in re.finditer(r'^#include .*$', changed, re.M)][-1]
    return changed[:last] + "\n" + HELPERS.replace("#include <set>",
                                                   "#include <set>\n#include <string>") + \
        changed[last:]


def build(tree, targets):
    ran = subprocess.run(["ninja", "-C", str(tree / "build"), *targets],
                         capture_output=True, text=True)
    if ran.returncode:
        errors = [l for l in ran.stdout.split("\n") if "error" in l or "FAILED" in l]
        sys.exit("\n".join(errors[:40]) or ran.stdout[-3000:])


class Runner:
    def __init__(self, tree, chunk):
        self.tool = str(tree / "build/bin/memrev-fuzz-autodiff")
        self.folder = tree / "build/mutants"
        self.folder.mkdir(exist_ok=True)
        self.chunk = chunk

    def run(self, seed, count, **environment):
        return subprocess.run(
            [self.tool, f"--seed={seed}", f"--programs={count}", "--findings=1",
             "--shrink=0", "--second-order=0", "--unsupported=0", "--split=0",
             f"--folder={self.folder}"],
            capture_output=True, text=True, errors="replace", timeout=120,
            env=dict(os.environ, **environment))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tree", required=True)
    parser.add_argument("--programs", type=int, default=4000)
    parser.add_argument("--chunk", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", default="", help="only files with this in the name")
    parser.add_argument("--attempts", type=int, default=400,
                        help="groups of programs that are tried for a mistake")
    parser.add_argument("--survivors", help="where to write those that survive")
    parser.add_argument("--keep", action="store_true", help="leave the changed sources")
    options = parser.parse_args()
    tree = pathlib.Path(options.tree).resolve()
    if tree == FOLDER.parent:
        sys.exit("expects a copy of the tree, but got the tree itself")

    sources = [f for f in sorted((tree / "lib/ExternalInterfaces").glob("*.cpp")) +
               sorted((tree / "lib/Dialect/Rev/IR").glob("*Rules.cpp"))
               if f.name not in ("Register.cpp", "Arith.cpp", "Math.cpp")]
    generated = tree / "build/lib/ExternalInterfaces"
    mutator, originals = Mutator(), {}
    try:
        # The table's own functions are made by the build.
        build(tree, ["MemRevScalarRulesIncGen", "memrev-fuzz-autodiff"])
        for path in sources:
            if options.files not in path.name:
                continue
            changed = mutate(mutator, path, path.name)
            if changed:
                originals[path] = path.read_text()
                path.write_text(changed)
        # What the build makes of the table is written again by the build: the files
        # that include it get a changed copy.
        for name in TABLES:
            table = generated / name
            if not table.exists() or options.files not in name:
                continue
            changed = mutate(mutator, table, name)
            (generated / f"Mutated{name}").write_text(changed)
            user = tree / "lib/ExternalInterfaces" / name.replace("Rules.inc", ".cpp")
            originals[user] = user.read_text()
            text = originals[user].replace(f'#include "{name}"',
                                           f'#include "Mutated{name}"')
            last = [m.end() for m in re.finditer(r'^#include "[^"]*\.h"$', text, re.M)][-1]
            user.write_text(text[:last] + "\n#include <string>\n" + HELPERS + text[last:])
        print(f"{len(mutator.mutants)} mistakes in {len(originals)} files", flush=True)
        build(tree, ["memrev-fuzz-autodiff"])
        survivors = check(mutator, Runner(tree, options.chunk), options)
    finally:
        if not options.keep:
            for path, text in originals.items():
                path.write_text(text)
    sys.exit(1 if survivors else 0)


def check(mutator, runner, options):
    """Runs the programs, first without a mistake. Returns the mistakes that survive."""
    reached = collections.defaultdict(list)
    for seed in range(options.seed, options.seed + options.programs, runner.chunk):
        ran = runner.run(seed, runner.chunk, MEMREV_MUTANT_TRACE="1")
        if ran.returncode != 0:
            # A chunk that fails without a mistake says nothing.
            continue
        for number in re.findall(r"^mutant (\d+)$", ran.stderr, re.M):
            reached[int(number)].append(seed)

    listed = {}
    equivalent = FOLDER / "equivalent-mutants.txt"
    if equivalent.exists():
        for line in equivalent.read_text().split("\n"):
            if line and not line.startswith("#"):
                key, _, reason = line.partition(" # ")
                listed[key.strip()] = reason
    killed, survivors, unreached, known = 0, [], [], 0
    for mutant in mutator.mutants:
        if mutant.key() in listed:
            known += 1
            continue
        seeds = reached[mutant.number]
        # The programs of a group that fails to end are a mistake noticed.
        for seed in seeds[:options.attempts]:
            try:
                ran = runner.run(seed, runner.chunk, MEMREV_MUTANT=str(mutant.number))
            except subprocess.TimeoutExpired:
                break
            if ran.returncode != 0:
                break
        else:
            (survivors if seeds else unreached).append(mutant)
            print(("SURVIVES " if seeds else "NOT REACHED ") +
                  f"{mutant.number} {mutant.key()} (line {mutant.line}, "
                  f"{len(seeds)} groups)", flush=True)
            continue
        killed += 1
    print(f"{killed} noticed, {len(survivors)} survive, {len(unreached)} are not reached, "
          f"{known} are equivalent")
    if options.survivors:
        pathlib.Path(options.survivors).write_text(
            "".join(f"{m.key()}\n" for m in survivors + unreached))
    return survivors + unreached


if __name__ == "__main__":
    main()
