# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints kernels for one form of wgmma.mma_async: @product of 64 rows and N
columns over 128 bytes, whose operands bulk copies bring to shared memory, and
@loops, which computes the same in three loops.

  wgmma.py ELEMENT N SWIZZLE A B

SWIZZLE is 128, 64, 32 or 0 bytes; A and B are "k" or "mn", the dimension that is
contiguous, and A may be "registers". The arguments of the kernels are the maps
of both, both, and the result. Prints the arguments for memrev-simt instead with
the option --arguments.
"""

import sys

arguments_only = "--arguments" in sys.argv
element, n, swizzle, a_major, b_major = [a for a in sys.argv[1:] if a[0] != "-"]
n, swizzle = int(n), int(swizzle)
size = 4 if element == "tf32" else 2
depth = 128 // size  # elements of k
step = 32 // size  # of one instruction
width = swizzle or 16  # bytes of a row of a piece
LLVM = {"f16": "half", "bf16": "bfloat", "tf32": "float"}[element]
TYPE = "f32" if element == "tf32" else element


class Matrix:
    """One operand: where it is in memory, and its pieces in shared memory."""

    def __init__(self, rows, major, base):
        self.rows, self.major, self.base = rows, major, base
        inner, self.outer = (depth, rows) if major == "k" else (rows, depth)
        self.dims = (inner, self.outer)
        self.per_piece = width // size
        self.pieces = inner * size // width
        self.piece_bytes = self.outer * width
        self.bytes = rows * depth * size

    def map(self, buffer):
        return (f"map={buffer}:{self.dims[0]}x{self.dims[1]}:"
                f"{self.per_piece}x{self.outer}:{swizzle}")

    def index(self, row, k):
        """The place of an element in memory, as factors of row and k."""
        return (depth, 1) if self.major == "k" else (1, self.rows)

    def start(self, number):
        """The offset of the operand of an instruction."""
        if self.major == "k":
            byte = number * 32
            return self.base + byte // width * self.piece_bytes + byte % width
        return self.base + number * step * width

    def descriptor(self):
        """All but the address: the leading and the stride offset and the mode."""
        next_eight, next_piece = 8 * width, self.piece_bytes
        if self.major == "k":
            leading, stride = next_piece, next_eight
        elif swizzle:
            leading, stride = next_piece, next_eight
        else:
            leading, stride = next_eight, next_piece
        mode = {128: 1, 64: 2, 32: 3, 0: 0}[swizzle]
        return leading >> 4 << 16 | stride >> 4 << 32 | mode << 62


in_registers = a_major == "registers"
a = Matrix(64, "k" if in_registers else a_major, 0)
b = Matrix(n, b_major, 0 if in_registers else a.bytes)
total = b.base + b.bytes
if arguments_only:
    print(a.map(2), b.map(3), f"{TYPE}:{64 * depth}=random", f"{TYPE}:{n * depth}=random",
          f"f32:{64 * n}", "--block=128", f"--shared={total}")
    sys.exit()

counter = 0
lines = []


def emit(text):
    global counter
    counter += 1
    lines.append(f"  %v{counter} = {text}")
    return f"%v{counter}"


def do(text):
    lines.append("  " + text)


def place(lane_strides, value_sizes, value_strides):
    """Returns for each value of a thread the place (%low, %high, %warp: t % 4,
    t / 4 % 8, t / 32), in CuTe's notation."""
    parts = [emit(f"mul i32 {v}, {s}")
             for v, s in zip(("%low", "%high", "%warp"), lane_strides)]
    base = emit(f"add i32 {emit(f'add i32 {parts[0]}, {parts[1]}')}, {parts[2]}")
    offsets = [0]
    for count, stride in zip(value_sizes, value_strides):
        offsets = [o + i * stride for i in range(count) for o in offsets]
    return [emit(f"add i32 {base}, {o}") for o in offsets]


loads = []
for matrix, argument in ((a, "%map_a"), (b, "%map_b")):
    if matrix is a and in_registers:
        continue
    for piece in range(matrix.pieces):
        offset = matrix.base + piece * matrix.piece_bytes
        loads.append((offset, argument, piece * matrix.per_piece))
for offset, argument, start in loads:
    target = emit(f"getelementptr i8, ptr addrspace(3) @tiles, i32 {offset}")
    target = emit(f"addrspacecast ptr addrspace(3) {target} to ptr addrspace(7)")
    do("call void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.2d("
       f"ptr addrspace(7) {target}, ptr addrspace(3) @barrier, ptr {argument}, i32 {start}, "
       "i32 0, i16 0, i64 0, i1 false, i1 false, i32 0)")
copies, lines = lines, []

num = n // 2
registers = []
if in_registers:
    # 64 x 16 for two bytes, 64 x 8 for four, in a matrix with 64 rows.
    if size == 2:
        places = place((128, 1, 16), (2, 2, 2), (64, 8, 512))
    else:
        places = place((64, 1, 16), (2, 2), (8, 256))
    for number in range(4):
        values = []
        for p in places:
            row = emit(f"urem i32 {p}, 64")
            k = emit(f"add i32 {emit(f'udiv i32 {p}, 64')}, {number * step}")
            index = emit(f"add i32 {emit(f'mul i32 {row}, {depth}')}, {k}")
            address = emit(f"getelementptr i{8 * size}, ptr %a, i32 {index}")
            values.append(emit(f"load i{8 * size}, ptr {address}"))
        if size == 2:
            wide = [emit(f"zext i16 {v} to i32") for v in values]
            values = [emit(f"or i32 {x}, {emit(f'shl i32 {y}, 16')}")
                      for x, y in zip(wide[::2], wide[1::2])]
        registers.append(values)
do("call void @llvm.nvvm.wgmma.fence.sync.aligned()")
window = emit("ptrtoint ptr addrspace(3) @tiles to i64")
result = "{ " + ", ".join(["float"] * num) + " }"
accumulators = ["0.0"] * num
for number in range(4):
    def describe(matrix):
        address = emit(f"add i64 {window}, {matrix.start(number)}")
        low = emit(f"lshr i64 {emit(f'and i64 {address}, 262143')}, 4")
        bits = matrix.descriptor()
        return emit(f"or i64 {low}, {bits - (1 << 64) if bits >> 63 else bits}")

    first = registers[number] if in_registers else [describe(a)]
    second = describe(b)
    operands = [f"float {x}" for x in accumulators]
    operands += [f"{'i32' if in_registers else 'i64'} {x}" for x in first]
    operands += [f"i64 {second}", f"i32 {int(number > 0)}"]
    next_ = 2 * num
    text_a = ", ".join(f"${next_ + i}" for i in range(len(first)))
    text_a = "{" + text_a + "}" if in_registers else text_a
    next_ += len(first)
    flags = ["1", "1"]
    if size == 2:
        flags += [] if in_registers else [str(int(a_major == "mn"))]
        flags += [str(int(b_major == "mn"))]
    d = ", ".join(f"${i}" for i in range(num))
    text = (f"{{ .reg .pred p; setp.ne.b32 p, ${next_ + 1}, 0; "
            f"wgmma.mma_async.sync.aligned.m64n{n}k{step}.f32.{element}.{element} "
            f"{{{d}}}, {text_a}, ${next_}, p, {', '.join(flags)}; }}")
    constraints = ["=f"] * num + [str(i) for i in range(num)]
    constraints += ["r" if in_registers else "l"] * len(first) + ["l", "r"]
    call = emit(f'call {result} asm sideeffect "{text}", "{",".join(constraints)}"'
                f"({', '.join(operands)})")
    accumulators = [emit(f"extractvalue {result} {call}, {i}") for i in range(num)]
do("call void @llvm.nvvm.wgmma.commit_group.sync.aligned()")
do("call void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64 0)")
for p, value in zip(place((128, 1, 16), (2, 2, n // 8), (64, 8, 512)), accumulators):
    do(f"store float {value}, ptr {emit(f'getelementptr float, ptr %d, i32 {p}')}")
body, lines = lines, []


def widen(buffer, matrix, row):
    factors = matrix.index(row, "%k")
    parts = [emit(f"mul i32 {v}, {f}") for v, f in zip((row, "%k"), factors)]
    address = emit(f"getelementptr {LLVM}, ptr {buffer}, i32 "
                   + emit(f"add i32 {parts[0]}, {parts[1]}"))
    value = emit(f"load {LLVM}, ptr {address}")
    return value if element == "tf32" else emit(f"fpext {LLVM} {value} to float")


product = emit(f"fmul float {widen('%a', a, '%row')}, {widen('%b', b, '%column')}")
inner = lines

wait = ("{ .reg .pred P1; LAB_WAIT: mbarrier.try_wait.parity.shared.b64 P1, [$0], $1, $2; "
        "@P1 bra.uni DONE; bra.uni LAB_WAIT; DONE: }")
parameters = ("ptr byval([128 x i8]) align 64 %map_a, ptr byval([128 x i8]) align 64 %map_b, "
              "ptr %a, ptr %b, ptr %d")
newline = "\n"
print(f"""target triple = "nvptx64-nvidia-cuda"
@tiles = external addrspace(3) global [0 x i8], align 1024
@barrier = internal addrspace(3) global i64 undef, align 8
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3), i32)
declare i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3), i32)
declare void @llvm.nvvm.cp.async.bulk.tensor.g2s.tile.2d(ptr addrspace(7), ptr addrspace(3), ptr, i32, i32, i16, i64, i1, i1, i32)
declare void @llvm.nvvm.wgmma.fence.sync.aligned()
declare void @llvm.nvvm.wgmma.commit_group.sync.aligned()
declare void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64)
define ptx_kernel void @product({parameters}) {{
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %lane = urem i32 %t, 32
  %low = urem i32 %lane, 4
  %high = udiv i32 %lane, 4
  %warp = udiv i32 %t, 32
  %leads = icmp eq i32 %t, 0
  br i1 %leads, label %start, label %started
start:
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) @barrier, i32 1)
  br label %started
started:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  br i1 %leads, label %copy, label %compute
copy:
  %state = call i64 @llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta(ptr addrspace(3) @barrier, i32 {total})
{newline.join(copies)}
  br label %compute
compute:
  call void asm sideeffect "{wait}", "r,r,r"(ptr addrspace(3) @barrier, i32 0, i32 1000)
{newline.join(body)}
  ret void
}}
define ptx_kernel void @loops({parameters}) {{
  br label %elements
elements:
  %i = phi i32 [ 0, %0 ], [ %next_i, %store ]
  %row = urem i32 %i, 64
  %column = udiv i32 %i, 64
  br label %products
products:
  %k = phi i32 [ 0, %elements ], [ %next_k, %products ]
  %sum = phi float [ 0.0, %elements ], [ %next_sum, %products ]
{newline.join(inner)}
  %next_sum = fadd float %sum, {product}
  %next_k = add i32 %k, 1
  %more_k = icmp ult i32 %next_k, {depth}
  br i1 %more_k, label %products, label %store
store:
  %to = getelementptr float, ptr %d, i32 %i
  store float %next_sum, ptr %to
  %next_i = add i32 %i, 1
  %more_i = icmp ult i32 %next_i, {64 * n}
  br i1 %more_i, label %elements, label %done
done:
  ret void
}}""")
