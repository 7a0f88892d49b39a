# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions that undo each other."""

from .._custom import custom_inverse


def pair(fn, inverse):
    """(`fn`, `inverse`) as two functions of programs that derivatives undo by calling the
    other one, instead of storing what they were called with.

    fn: takes a tree of arrays x and further arrays, and returns a tree.
    inverse: takes what `fn` returns and the same further arrays, and returns x.
    """
    return custom_inverse(fn, inverse=inverse), custom_inverse(inverse, inverse=fn)
