# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls the CUDA runtime as compiled host code and its callers do.

  runtime.py libMemRevCUDARuntime.so COMMAND
"""

import ctypes
import os
import sys
import threading

runtime = ctypes.CDLL(sys.argv[1])
runtime.memrevCudaLastError.restype = ctypes.c_char_p
for function in ("mgpuModuleLoad", "mgpuModuleLoadJIT", "mgpuModuleGetFunction",
                 "mgpuStreamCreate", "mgpuMemAlloc"):
    getattr(runtime, function).restype = ctypes.c_void_p


def pointer(value):
    return ctypes.c_void_p(value)


def report(what):
    error = runtime.memrevCudaLastError()
    print(f"{what}: {error.decode() if error else 'no error'}", flush=True)


# The runtime keeps the address of an image.
images_alive = []


def keep(image):
    images_alive.append(ctypes.create_string_buffer(image))
    return images_alive[-1]


def ptx(chip):
    return keep(f".version 8.0\n.target {chip}\n".encode())


def cubin(chip, abi):
    """Returns an ELF header that names a chip as ptxas does."""
    header = bytearray(64)
    header[0:4] = b"\x7fELF"
    header[8] = abi
    flags = chip << 8 if abi >= 8 else chip
    header[48:52] = flags.to_bytes(4, "little")
    return keep(bytes(header))


def launch(module, kernel=b"kernel", grid=1):
    stream = runtime.mgpuStreamCreate()
    function = runtime.mgpuModuleGetFunction(pointer(module), kernel)
    one = ctypes.c_ssize_t(1)
    parameters = (ctypes.c_void_p * 1)()
    runtime.mgpuLaunchKernel(pointer(function), ctypes.c_ssize_t(grid), one, one,
                             one, one, one, 0, pointer(stream), parameters, None,
                             ctypes.c_size_t(0))
    runtime.mgpuStreamSynchronize(pointer(stream))
    runtime.mgpuStreamDestroy(pointer(stream))


def initialize():
    print("result", runtime.memrevCudaInitialize())
    report("initialize")


def call():
    """All that a compiled function does, without a look at errors."""
    launch(runtime.mgpuModuleLoadJIT(ptx("sm_80"), 2))
    report("call")


def call_twice():
    module = runtime.mgpuModuleLoadJIT(ptx("sm_80"), 2)
    launch(module)
    launch(module, grid=0)
    launch(module, grid=3)
    report("calls")
    runtime.mgpuModuleUnload(pointer(module))


def images():
    for name, image in (("sm_80", cubin(80, 7)), ("sm_100", cubin(100, 8))):
        launch(runtime.mgpuModuleLoad(image, ctypes.c_size_t(64)))
        report(name)
        runtime.memrevCudaClearError()


def allocate():
    memory = ctypes.c_void_p()
    print("result", runtime.memrevCudaAllocate(ctypes.byref(memory),
                                               ctypes.c_size_t(4096)))
    report("allocate")
    runtime.memrevCudaClearError()
    stream = runtime.mgpuStreamCreate()
    print("pointer", runtime.mgpuMemAlloc(ctypes.c_uint64(64), pointer(stream), 0))
    report("mgpuMemAlloc")


def sticky():
    """After an error nothing is asked of the device, until it is cleared; other
    threads do not see it."""
    module = runtime.mgpuModuleLoadJIT(ptx("sm_80"), 2)
    launch(module)
    report("first")
    launch(module)
    report("second")
    thread = threading.Thread(target=lambda: report("other thread"))
    thread.start()
    thread.join()
    runtime.memrevCudaClearError()
    report("cleared")
    os.environ.pop("FAKE_CUDA_FAIL")
    ctypes.CDLL(None).unsetenv(b"FAKE_CUDA_FAIL")
    launch(module)
    report("third")


def callback():
    handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)(
        lambda message, context: print(f"callback {context}: {message.decode()}"))
    runtime.memrevCudaSetErrorCallback(handler, pointer(42))
    print("result", runtime.memrevCudaInitialize())


def device():
    print("result", runtime.memrevCudaSetDevice(1))
    print("result", runtime.memrevCudaSetDevice(7))
    report("device")


def memory():
    """A round trip through device memory, filled on the device in between."""
    data = (ctypes.c_uint32 * 8)(*range(8))
    memory = ctypes.c_void_p()
    size = ctypes.c_size_t(32)
    runtime.memrevCudaAllocate(ctypes.byref(memory), size)
    runtime.memrevCudaCopyToDevice(memory, data, size)
    stream = runtime.mgpuStreamCreate()
    runtime.mgpuMemset32(memory, 7, ctypes.c_size_t(2), pointer(stream))
    runtime.mgpuMemset16(pointer(memory.value + 28), 9, ctypes.c_size_t(1),
                         pointer(stream))
    runtime.mgpuMemcpy(pointer(memory.value + 8), memory, ctypes.c_size_t(4),
                       pointer(stream))
    runtime.mgpuStreamSynchronize(pointer(stream))
    back = (ctypes.c_uint32 * 8)()
    runtime.memrevCudaCopyToHost(back, memory, size)
    runtime.memrevCudaFree(memory)
    print("memory", list(back))
    report("memory")


globals()[sys.argv[2]]()
