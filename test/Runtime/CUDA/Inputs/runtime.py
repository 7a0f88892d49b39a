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
                 "mgpuStreamCreate", "mgpuMemAlloc", "memrevCudaBeginCall"):
    getattr(runtime, function).restype = ctypes.c_void_p
for function in ("memrevCudaGetAllocatedBytes", "memrevCudaGetPeakBytes"):
    getattr(runtime, function).restype = ctypes.c_size_t


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


def grids():
    """The largest grid, and numbers of blocks of which 32 bits would be left."""
    for blocks in 2147483647, 2147483648, 4294967297, -1:
        launch(runtime.mgpuModuleLoadJIT(ptx("sm_80"), 2), grid=blocks)
        report(str(blocks))
        runtime.memrevCudaClearError()


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


def allocate_bytes(size):
    memory = ctypes.c_void_p()
    runtime.memrevCudaAllocate(ctypes.byref(memory), ctypes.c_size_t(size))
    return memory.value


class CompiledFunction:
    """What the host code of a compiled function does."""

    def __init__(self):
        self.module = runtime.mgpuModuleLoadJIT(ptx("sm_80"), 2)
        self.slot = ctypes.c_void_p()

    def __call__(self, what, buffers, scalars=(), launches=1, recordable=1):
        print(what, flush=True)
        pairs = [number for buffer in buffers for number in buffer]
        stream = runtime.memrevCudaBeginCall(
            b"f", ctypes.byref(self.slot), (ctypes.c_uint64 * len(pairs))(*pairs),
            ctypes.c_size_t(len(buffers)), (ctypes.c_uint64 * len(scalars))(*scalars),
            ctypes.c_size_t(len(scalars)), recordable)
        if stream is not None:
            one = ctypes.c_ssize_t(1)
            for _ in range(launches):
                function = runtime.mgpuModuleGetFunction(pointer(self.module), b"kernel")
                runtime.mgpuLaunchKernel(
                    pointer(function), one, one, one, one, one, one, 0,
                    pointer(stream), (ctypes.c_void_p * 1)(), None, ctypes.c_size_t(0))
        runtime.memrevCudaEndCall()
        report("  status")


def graph():
    """One function, called again and again."""
    f, a, b = CompiledFunction(), (allocate_bytes(64), 64), (allocate_bytes(64), 64)
    f("run", [a], [1], launches=2)
    f("record", [a], [1], launches=2)
    f("replay", [a], [1], launches=2)
    f("scalar", [a], [2], launches=2)
    f("same scalar", [a], [2], launches=2)
    f("other kernels", [a], [3], launches=3)
    f("other buffer", [b], [3], launches=3)
    f("first buffer", [a], [3], launches=3)
    f("not recordable", [b], [3], recordable=0)
    print("forget", flush=True)
    runtime.memrevCudaForgetFunction(ctypes.byref(f.slot))
    print("forgotten", f.slot.value)


def many_buffers():
    """Sets of buffers that take turns, up to as many as there are graphs for and more."""
    f = CompiledFunction()
    buffers = [(allocate_bytes(16), 16) for _ in range(300)]
    for count in (256, 257, 300):
        print("sets", count, flush=True)
        for turn in range(10):
            for buffer in buffers[:count]:
                f(f"turn {turn}", [buffer])
    runtime.memrevCudaForgetFunction(ctypes.byref(f.slot))


def large_graphs():
    """Graphs of more kernels than a function keeps."""
    f = CompiledFunction()
    first, second, third = [(allocate_bytes(16), 16) for _ in range(3)]
    for buffer, launches in ((first, 10), (second, 40000), (third, 50000), (first, 10)):
        f("run", [buffer], launches=launches)
        f("record", [buffer], launches=launches)
        f("replay", [buffer], launches=launches)


def stream():
    """Calls on the caller's stream do not wait."""
    f, buffer = CompiledFunction(), (allocate_bytes(64), 64)
    runtime.memrevCudaUseStream(None)
    f("run", [buffer])
    f("record", [buffer])
    f("replay", [buffer])
    runtime.memrevCudaUseOwnStreams()
    f("wait", [buffer])


def outer_graph():
    """A stream that the caller records takes the kernels themselves."""
    f, buffer = CompiledFunction(), (allocate_bytes(64), 64)
    f("run", [buffer])
    driver = ctypes.CDLL("libcuda.so.1")
    mine, recorded = ctypes.c_void_p(runtime.mgpuStreamCreate()), ctypes.c_void_p()
    driver.cuStreamBeginCapture_v2(mine, 0)
    runtime.memrevCudaUseStream(mine)
    f("join", [buffer])
    driver.cuStreamEndCapture(mine, ctypes.byref(recorded))


def failing_graph():
    """A call that fails while it is recorded leaves nothing behind."""
    f, buffer = CompiledFunction(), (allocate_bytes(64), 64)
    f("run", [buffer])
    f("record", [buffer], [1])
    ctypes.CDLL(None).setenv(b"FAKE_CUDA_FAIL", os.environ["LATER"].encode(), 1)
    f("fail", [buffer], [2])
    runtime.memrevCudaClearError()
    ctypes.CDLL(None).unsetenv(b"FAKE_CUDA_FAIL")
    f("record again", [buffer], [2])
    f("replay", [buffer], [2])


def buffers():
    """Parameters that are no device memory, too short, or not aligned."""
    f, device = CompiledFunction(), allocate_bytes(64)
    host = ctypes.create_string_buffer(64)
    for what, buffer in (("host", (ctypes.addressof(host), 64)), ("long", (device, 65)),
                         ("inside", (device + 32, 33)), ("unaligned", (device + 8, 16)),
                         ("small", (device + 4, 8)), ("empty", (0, 0)),
                         ("right", (device + 16, 48)), ("small and right", (device + 4, 4))):
        f(what, [(device, 64), buffer])
        runtime.memrevCudaClearError()


def pool():
    """Memory in the order of a stream is kept, and counted."""
    def take(size):
        memory = ctypes.c_void_p()
        runtime.memrevCudaAllocateOnStream(ctypes.byref(memory), ctypes.c_size_t(size))
        return memory

    def show(what):
        print(what, runtime.memrevCudaGetAllocatedBytes(), runtime.memrevCudaGetPeakBytes(),
              flush=True)

    runtime.memrevCudaUseStream(runtime.mgpuStreamCreate())
    first = take(1000)
    second = take(100)
    show("two")
    runtime.memrevCudaFreeOnStream(first)
    runtime.memrevCudaFreeOnStream(second)
    print("same", take(990).value == first.value, take(60).value == second.value)
    show("again")
    runtime.memrevCudaFreeOnStream(first)
    # Half of it would be unused.
    third = take(400)
    print("other", third.value != first.value)
    show("three")
    runtime.memrevCudaFreeIdle()
    show("idle freed")
    runtime.memrevCudaFreeOnStream(pointer(first.value))
    report("stranger")


def freed_and_allocated():
    """A thread frees, and before it knows another one is given the same address."""
    def show(what):
        print(what, runtime.memrevCudaGetAllocatedBytes(), runtime.memrevCudaGetPeakBytes())

    address = allocate_bytes(64)
    thread = threading.Thread(target=lambda: runtime.memrevCudaFree(pointer(address)))
    thread.start()
    driver, start = ctypes.CDLL("libcuda.so.1"), ctypes.c_uint64()
    while driver.cuPointerGetAttribute(ctypes.byref(start), 11, ctypes.c_uint64(address)) == 0:
        pass
    assert allocate_bytes(64) == address
    thread.join()
    show("allocated")
    runtime.memrevCudaFree(pointer(address))
    show("freed")


def fork():
    """A child cannot use the driver of its parent, which goes on."""
    f, buffer = CompiledFunction(), (allocate_bytes(64), 64)
    f("before", [buffer])
    child = os.fork()
    if child == 0:
        f("child", [buffer])
        runtime.memrevCudaForgetFunction(ctypes.byref(f.slot))
        os._exit(0)
    print("exit status", os.waitpid(child, 0)[1], flush=True)
    f("parent", [buffer])


globals()[sys.argv[2]]()
