# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls the emulator's driver: the order of streams, graphs, and errors.

  driver.py libcuda.so.1 driver.bc COMMAND
"""

import ctypes
import sys

cuda = ctypes.CDLL(sys.argv[1])
GLOBAL, THREAD_LOCAL, RELAXED = range(3)
BLOCKING, NON_BLOCKING = range(2)


def name(result):
    text = ctypes.c_char_p()
    cuda.cuGetErrorName(result, ctypes.byref(text))
    return text.value.decode()


def call(function, *arguments):
    """Calls what must not fail."""
    result = getattr(cuda, function)(*arguments)
    if result:
        sys.exit(f"{function}: {name(result)}")


def fails(what, function, *arguments):
    print(f"{what}: {name(getattr(cuda, function)(*arguments))}", flush=True)


def make(function, *arguments):
    handle = ctypes.c_void_p()
    call(function, ctypes.byref(handle), *arguments)
    return handle


def stream(flags=NON_BLOCKING):
    return make("cuStreamCreate", flags)


class Buffer:
    def __init__(self, count=4, value=1):
        self.count = count
        self.pointer = ctypes.c_uint64()
        self.size = ctypes.c_size_t(4 * count)
        call("cuMemAlloc_v2", ctypes.byref(self.pointer), self.size)
        host = (ctypes.c_int32 * count)(*[value] * count)
        call("cuMemcpyHtoD_v2", self.pointer, host, self.size)

    def read(self):
        host = (ctypes.c_int32 * self.count)()
        call("cuMemcpyDtoH_v2", host, self.pointer, self.size)
        return list(host)

    def free(self):
        call("cuMemFree_v2", self.pointer)


call("cuInit", 0)
with open(sys.argv[2], "rb") as file:
    image = ctypes.create_string_buffer(file.read())
module = make("cuModuleLoadData", image)
add = make("cuModuleGetFunction", module, b"add")
multiply = make("cuModuleGetFunction", module, b"multiply")


def launch(kernel, buffer, number, on=None, check=call, block=None):
    value = ctypes.c_int32(number)
    parameters = (ctypes.c_void_p * 2)(ctypes.addressof(buffer.pointer),
                                       ctypes.addressof(value))
    arguments = ["cuLaunchKernel", kernel, 1, 1, 1, block or buffer.count, 1, 1, 0, on,
                 parameters, None]
    check(*arguments)


def order():
    """Work waits for its stream, for events, and the legacy stream for all."""
    a = Buffer()
    one, two = stream(), stream()
    launch(add, a, 1, one)
    launch(multiply, a, 10, one)
    call("cuStreamSynchronize", one)
    print("one stream", a.read())
    event = make("cuEventCreate", 0)
    launch(add, a, 5, one)
    call("cuEventRecord", event, one)
    call("cuStreamWaitEvent", two, event, 0)
    launch(multiply, a, 2, two)
    call("cuStreamSynchronize", two)
    print("two streams", a.read())
    launch(add, a, 1, one)
    # Nothing has waited for that: memory is what it was.
    print("too early", a.read())
    call("cuStreamSynchronize", one)
    print("in time", a.read())
    blocking = stream(BLOCKING)
    launch(add, a, 1, blocking)
    print("blocking stream", a.read())


def capture():
    a = Buffer()
    s, other = stream(), stream()
    event, done = make("cuEventCreate", 0), make("cuEventCreate", 0)
    call("cuStreamBeginCapture_v2", s, THREAD_LOCAL)
    launch(add, a, 2, s)
    call("cuEventRecord", event, s)
    call("cuStreamWaitEvent", other, event, 0)
    launch(multiply, a, 3, other)
    call("cuEventRecord", done, other)
    call("cuStreamWaitEvent", s, done, 0)
    launch(add, a, 1, s)
    graph = make_graph(s)
    count = ctypes.c_size_t()
    call("cuGraphGetNodes", graph, None, ctypes.byref(count))
    print("nodes", count.value)
    print("captured", a.read())
    executable = make("cuGraphInstantiateWithFlags", graph, ctypes.c_uint64(0))
    call("cuGraphDestroy", graph)
    for _ in range(2):
        call("cuGraphLaunch", executable, s)
    call("cuStreamSynchronize", s)
    print("launched twice", a.read())
    call("cuGraphExecDestroy", executable)


def make_graph(s):
    graph = ctypes.c_void_p()
    call("cuStreamEndCapture", s, ctypes.byref(graph))
    return graph


def capture_errors():
    a = Buffer()
    graph = ctypes.c_void_p()

    def invalid(what, function, *arguments, mode=GLOBAL):
        s = stream(BLOCKING)
        call("cuStreamBeginCapture_v2", s, mode)
        launch(add, a, 1, s)
        fails(what, function, *[s if x == "stream" else x for x in arguments])
        fails("  its capture", "cuStreamEndCapture", s, ctypes.byref(graph))
        call("cuStreamSynchronize", s)
        call("cuStreamDestroy_v2", s)

    pointer, size = ctypes.c_uint64(), ctypes.c_size_t(16)
    host = (ctypes.c_int32 * 4)()
    invalid("synchronize", "cuStreamSynchronize", "stream")
    invalid("allocate", "cuMemAlloc_v2", ctypes.byref(pointer), size)
    invalid("allocate, relaxed", "cuMemAlloc_v2", ctypes.byref(pointer), size, mode=RELAXED)
    invalid("copy", "cuMemcpyDtoH_v2", host, a.pointer, size)
    invalid("begin again", "cuStreamBeginCapture_v2", "stream", GLOBAL)
    invalid("legacy stream", "cuMemsetD32Async", a.pointer, 0, ctypes.c_size_t(4), None)
    other = stream()
    invalid("another stream", "cuStreamEndCapture", other, ctypes.byref(graph))
    outside = make("cuEventCreate", 0)
    call("cuEventRecord", outside, other)
    invalid("event from outside", "cuStreamWaitEvent", "stream", outside, 0)
    s = stream()
    inside = make("cuEventCreate", 0)
    call("cuStreamBeginCapture_v2", s, THREAD_LOCAL)
    launch(add, a, 1, s)
    call("cuEventRecord", inside, s)
    call("cuStreamWaitEvent", other, inside, 0)
    launch(add, a, 1, other)
    fails("not joined", "cuStreamEndCapture", s, ctypes.byref(graph))
    fails("legacy stream", "cuStreamBeginCapture_v2", None, GLOBAL)
    call("cuStreamBeginCapture_v2", s, THREAD_LOCAL)
    launch(add, a, 1, s)
    call("cuEventRecord", inside, s)
    fails("event inside", "cuEventSynchronize", inside)


def errors():
    a = Buffer()
    pointer = ctypes.c_uint64()
    fails("too much memory", "cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(1 << 40))
    fails("no memory", "cuMemFree_v2", ctypes.c_uint64(4096))
    fails("beyond the end", "cuMemcpyHtoD_v2", a.pointer, (ctypes.c_char * 20)(),
          ctypes.c_size_t(20))
    fails("no kernel", "cuModuleGetFunction", ctypes.byref(ctypes.c_void_p()), module, b"x")
    check = lambda *arguments: fails("too many threads", *arguments)
    launch(add, a, 1, check=check, block=1025)
    check = lambda *arguments: fails("more than the kernel takes", *arguments)
    launch(multiply, Buffer(65), 1, check=check)
    fails("no stream", "cuStreamSynchronize", ctypes.c_void_p(4096))
    ptx = ctypes.create_string_buffer(b".version 8.0\n.target sm_90\n")
    fails("no bitcode", "cuModuleLoadData", ctypes.byref(ctypes.c_void_p()), ptx)


def freed():
    """An error of a kernel shows where someone waits, and stays."""
    a, b = Buffer(), Buffer()
    s = stream()
    a.free()
    launch(add, a, 1, s)
    fails("synchronize", "cuStreamSynchronize", s)
    fails("afterwards", "cuMemcpyDtoH_v2", (ctypes.c_int32 * 4)(), b.pointer, b.size)


globals()[sys.argv[3]]()
