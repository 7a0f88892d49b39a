# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls FUNCTION(x, f, result, arena) of a library for a GPU and prints its error.

  call.py library.so FUNCTION
"""

import ctypes
import sys

library = ctypes.CDLL(sys.argv[1])
library.memrevCudaLastError.restype = ctypes.c_char_p
buffer = ctypes.c_void_p()
if library.memrevCudaAllocate(ctypes.byref(buffer), ctypes.c_size_t(1024)) == 0:
    getattr(library, sys.argv[2])(buffer, ctypes.c_float(2.0), buffer, buffer)
error = library.memrevCudaLastError()
print(error.decode() if error else "no error")
