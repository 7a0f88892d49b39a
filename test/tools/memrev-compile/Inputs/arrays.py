# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes arrays for run.test, checks what came out, and damages files.

Needs no package: the formats are written and read from their descriptions.
"""

import ast
import pathlib
import random
import struct
import subprocess
import sys
import zipfile


def npy(descr, shape, data, fortran=False):
    header = repr({"descr": descr, "fortran_order": fortran, "shape": shape})
    header += " " * (-(11 + len(header)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def npz(path, arrays, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in arrays.items():
            archive.writestr(name + ".npy", data)


mode, folder = sys.argv[1], pathlib.Path(sys.argv[2])
values, factor = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0), 2.5
data = struct.pack("<6f", *values)
x, s = npy("<f4", (2, 3), data), npy("<f4", (), struct.pack("<f", factor))
if mode == "write":
    folder.mkdir(exist_ok=True)
    for name, content in {
        "x": x,
        "s": s,
        "x64": npy("<f8", (2, 3), struct.pack("<6d", *values)),
        "t": npy("<f4", (3, 2), data),
        "fortran": npy("<f4", (2, 3), data, fortran=True),
        "complex": npy("<c8", (3,), data),
        "short": x[:-4],
        "bfloat16": npy("<V2", (2,), struct.pack("<2H", 0x3F80, 0x4020)),  # 1, 2.5
        "overflow": npy("<f4", (1 << 62, 1 << 62), data),
    }.items():
        (folder / f"{name}.npy").write_bytes(content)
    npz(folder / "both.npz", {"x": x, "s": s})
    # The arguments of cuda.mlir. They are positive, so that nothing cancels in its sums.
    rng = random.Random(1)
    npz(folder / "step.npz", {
        name: npy("<f4", shape, struct.pack(
            f"<{shape[0] * shape[1]}f",
            *(rng.uniform(0.1, 0.3) for _ in range(shape[0] * shape[1]))))
        for name, shape in (("x1", (8, 16)), ("x2", (8, 16)), ("w", (16, 16)))})
    npz(folder / "compressed.npz", {"x": x, "s": s}, zipfile.ZIP_DEFLATED)
    whole = bytearray((folder / "both.npz").read_bytes())
    whole[whole.index(data) + 1] ^= 1
    (folder / "sum.npz").write_bytes(whole)
elif mode == "check-bfloat16":
    with zipfile.ZipFile(folder / "r.npz") as archive:
        result = archive.read("result0.npy")
    assert b"'descr': '<V2'" in result and result.endswith(struct.pack("<2H", 0x4000, 0x40A0))
elif mode == "compare":
    # Two files of f32 results are equal but for rounding.
    results = []
    for path in sys.argv[3:]:
        with zipfile.ZipFile(path) as archive:
            members = [archive.read(name) for name in archive.namelist()]
        results.append([])
        for member in members:
            data = member[10 + struct.unpack_from("<H", member, 8)[0]:]
            results[-1].append(struct.unpack(f"<{len(data) // 4}f", data))
    for one, other in zip(*results, strict=True):
        scale = max(map(abs, one))
        assert scale > 0 and len(one) == len(other)
        assert max(abs(a - b) for a, b in zip(one, other)) < 1e-6 * scale
elif mode == "check":
    with zipfile.ZipFile(folder / "r.npz") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["result0.npy"]
        result = archive.read("result0.npy")
    (length,) = struct.unpack_from("<H", result, 8)
    assert (10 + length) % 64 == 0
    header = ast.literal_eval(result[10 : 10 + length].decode())
    assert header == {"descr": "<f4", "fortran_order": False, "shape": (2, 3)}, header
    expected = tuple(value * factor for value in values)
    assert struct.unpack("<6f", result[10 + length :]) == expected
    assert (folder / "x.npy").read_bytes() == x
else:
    random.seed(0)
    for name in ("x.npy", "both.npz"):
        whole = (folder / name).read_bytes()
        for _ in range(15):
            damaged = bytearray(whole)
            for _ in range(random.randint(1, 4)):
                damaged[random.randrange(len(damaged))] = random.randrange(256)
            if random.random() < 0.5:
                del damaged[random.randrange(len(damaged)) :]
            path = folder / f"damaged{pathlib.Path(name).suffix}"
            path.write_bytes(damaged)
            arguments = str(path)
            if name == "x.npy":
                arguments += f",{folder / 's.npy'}"
            status = subprocess.run(
                [*sys.argv[3:], "--run", "--entry=scale", f"--args={arguments}"],
                stderr=subprocess.DEVNULL).returncode
            if status not in (0, 1):
                sys.exit(f"{name}: exited with {status}")
