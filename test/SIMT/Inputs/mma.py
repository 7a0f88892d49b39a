# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints kernels for one shape of mma.sync: @mma, and @loops, which computes the
same in three loops.

  mma.py SHAPE TYPE [ACCUMULATOR]

The layouts are those of CUTLASS's MMA traits, in CuTe's notation: a thread
(t % 4, t / 4) and the indices of its values, with a stride for each, give the
place in a matrix whose first dimension is contiguous. The emulator follows the
drawings of the PTX ISA instead.
"""

import sys

# Sizes of the values' indices, and the strides of the thread's and the values'.
ROW_8X4 = ((), (8, 1), ())
ROW_8X8 = ((2,), (16, 1), (8,))
ROW_8X16 = ((2, 2), (16, 1), (8, 64))
ROW_16X8 = ((2, 2), (32, 1), (16, 8))
SINGLE_8X8 = ((2,), (8, 1), (32,))
SINGLE_8X16 = ((4,), (8, 1), (32,))
SINGLE_16X4 = ((2,), (16, 1), (8,))
SINGLE_16X8 = ((2, 2), (16, 1), (8, 64))
SINGLE_16X16 = ((2, 4), (16, 1), (8, 64))
ROW_16X16 = ((2, 2, 2), (32, 1), (16, 8, 128))

LAYOUTS = {
    ("m16n8k16", "pairs"): (ROW_16X16, ROW_8X16, ROW_16X8),
    ("m16n8k8", "pairs"): (ROW_16X8, ROW_8X8, ROW_16X8),
    ("m16n8k8", "tf32"): (SINGLE_16X8, SINGLE_8X8, ROW_16X8),
    ("m16n8k4", "tf32"): (SINGLE_16X4, ROW_8X4, ROW_16X8),
    ("m8n8k4", "f64"): (ROW_8X4, ROW_8X4, ROW_8X8),
    ("m16n8k4", "f64"): (SINGLE_16X4, ROW_8X4, ROW_16X8),
    ("m16n8k8", "f64"): (SINGLE_16X8, SINGLE_8X8, ROW_16X8),
    ("m16n8k16", "f64"): (SINGLE_16X16, SINGLE_8X16, ROW_16X8),
}
LLVM = {"f16": "half", "bf16": "bfloat", "tf32": "float", "f32": "float", "f64": "double"}

shape, element, accumulator = (sys.argv[1:] + ["f32"])[:3]
if element == "f64":
    accumulator = "f64"
m = int(shape[1:shape.index("n")])
k = int(shape[shape.index("k") + 1:])
n = 8
a_layout, b_layout, c_layout = LAYOUTS[
    shape, "pairs" if element in ("f16", "bf16") else element]
lines = []
counter = 0


def emit(text):
    """Appends an instruction and returns its value."""
    global counter
    counter += 1
    lines.append(f"  %v{counter} = {text}")
    return f"%v{counter}"


def offsets(layout):
    """Returns the constant part of the place of each value."""
    result = [0]
    for size, stride in zip(layout[0], layout[2]):
        result = [r + i * stride for i in range(size) for r in result]
    return result


def base(layout):
    low, high = (emit(f"mul i32 {v}, {s}") for v, s in zip(("%low", "%high"), layout[1]))
    return emit(f"add i32 {low}, {high}")


def places(layout, buffer, bits):
    """Returns the addresses of a thread's values."""
    start = base(layout)
    return [emit(f"getelementptr i{bits}, ptr {buffer}, i32 {emit(f'add i32 {start}, {o}')}")
            for o in offsets(layout)]


def load_pairs(layout, buffer, type_):
    addresses = places(layout, buffer, 16)
    registers = []
    for i in range(0, len(addresses), 2):
        low, high = (emit(f"zext i16 {emit(f'load i16, ptr {a}')} to i32")
                     for a in addresses[i:i + 2])
        pair = emit(f"or i32 {low}, {emit(f'shl i32 {high}, 16')}")
        registers.append(pair if type_ == "i32" else emit(f"bitcast i32 {pair} to {type_}"))
    return registers


def load_singles(layout, buffer, type_, bits):
    return [emit(f"load {type_}, ptr {a}") for a in places(layout, buffer, bits)]


if element == "f16":
    type_, load = "<2 x half>", load_pairs
    name = f"{accumulator}.{accumulator}"
elif element == "bf16":
    type_, load, name = "i32", load_pairs, "bf16"
elif element == "tf32":
    type_, name = "i32", "tf32"
    load = lambda layout, buffer, type_: load_singles(layout, buffer, type_, 32)
else:
    type_, name = "double", "f64"
    load = lambda layout, buffer, type_: load_singles(layout, buffer, type_, 64)

a_values = load(a_layout, "%a", type_)
b_values = load(b_layout, "%b", type_)
if accumulator == "f16":
    c_type = "<2 x half>"
    c_values = load_pairs(c_layout, "%c", c_type)
else:
    c_type = LLVM[accumulator]
    c_values = load_singles(c_layout, "%c", c_type, 64 if accumulator == "f64" else 32)
operands = ([f"{type_} {v}" for v in a_values + b_values] +
            [f"{c_type} {v}" for v in c_values])
result = "{ " + ", ".join([c_type] * len(c_values)) + " }"
intrinsic = f"@llvm.nvvm.mma.{shape}.row.col.{name}"
d = emit(f"call {result} {intrinsic}({', '.join(operands)})")
scalar = LLVM[accumulator]
d_places = places(c_layout, "%d", {"f16": 16, "f32": 32, "f64": 64}[accumulator])
for i in range(len(c_values)):
    register = emit(f"extractvalue {result} {d}, {i}")
    if accumulator != "f16":
        lines.append(f"  store {scalar} {register}, ptr {d_places[i]}")
        continue
    for half in range(2):
        value = emit(f"extractelement <2 x half> {register}, i32 {half}")
        lines.append(f"  store half {value}, ptr {d_places[2 * i + half]}")

# The loops work in the type of the sum, f64 or f32.
total = "double" if element == "f64" else "float"
narrow = LLVM[element]


def widen(buffer, index):
    address = f"getelementptr {narrow}, ptr {buffer}, i32 {index}"
    value = f"load {narrow}, ptr {emit(address)}"
    if element == "f64":
        return emit(value)
    if element == "tf32":
        bits = emit(f"bitcast float {emit(value)} to i32")
        return emit(f"bitcast i32 {emit(f'and i32 {bits}, -8192')} to float")
    return emit(f"fpext {narrow} {emit(value)} to float")


mma_body, lines = lines, []
row = emit(f"urem i32 %i, {m}")
column = emit(f"udiv i32 %i, {m}")
c_address = emit(f"getelementptr {scalar}, ptr %c, i32 %i")
c_value = emit(f"load {scalar}, ptr {c_address}")
if accumulator == "f16":
    c_value = emit(f"fpext half {c_value} to float")
before, lines = lines, []
a_index = emit(f"add i32 {row}, {emit(f'mul i32 %k, {m}')}")
b_index = emit(f"add i32 {column}, {emit(f'mul i32 %k, {n}')}")
a_value, b_value = widen("%a", a_index), widen("%b", b_index)
if element == "f64":
    sum_ = emit(f"call double @llvm.fma.f64(double {a_value}, double {b_value}, double %sum)")
else:
    sum_ = emit(f"fadd float %sum, {emit(f'fmul float {a_value}, {b_value}')}")
inner, lines = lines, []
stored = sum_ if accumulator != "f16" else emit(f"fptrunc float {sum_} to half")
d_address = emit(f"getelementptr {scalar}, ptr %d, i32 %i")
after = lines

print(f"""target triple = "nvptx64-nvidia-cuda"
declare {result} {intrinsic}({', '.join(o.rsplit(' ', 1)[0] for o in operands)})
declare i32 @llvm.nvvm.read.ptx.sreg.laneid()
declare double @llvm.fma.f64(double, double, double)
define ptx_kernel void @mma(ptr %a, ptr %b, ptr %c, ptr %d) {{
  %lane = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %low = urem i32 %lane, 4
  %high = udiv i32 %lane, 4""")
print("\n".join(mma_body))
print(f"""  ret void
}}
define ptx_kernel void @loops(ptr %a, ptr %b, ptr %c, ptr %d) {{
  br label %elements
elements:
  %i = phi i32 [ 0, %0 ], [ %next_i, %store ]""")
print("\n".join(before))
print(f"""  br label %products
products:
  %k = phi i32 [ 0, %elements ], [ %next_k, %products ]
  %sum = phi {total} [ {c_value}, %elements ], [ {sum_}, %products ]""")
print("\n".join(inner))
print(f"""  %next_k = add i32 %k, 1
  %more_k = icmp ult i32 %next_k, {k}
  br i1 %more_k, label %products, label %store
store:""")
print("\n".join(after))
print(f"""  store {scalar} {stored}, ptr {d_address}
  %next_i = add i32 %i, 1
  %more_i = icmp ult i32 %next_i, {m * n}
  br i1 %more_i, label %elements, label %done
done:
  ret void
}}""")
