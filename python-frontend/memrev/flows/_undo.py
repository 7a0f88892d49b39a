# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions that undo each other."""

from .._custom import custom_inverse


def pair(fn, inverse, gain=None, has_aux=False):
    """(`fn`, `inverse`) as two functions of programs that derivatives undo by calling the
    other one, instead of storing what they were called with.

    fn: takes a tree of arrays x and further arrays, and returns a tree.
    inverse: takes what `fn` returns and the same further arrays, and returns x.
    gain: by how much the two enlarge errors at most, where that is known: 1 for what keeps
        lengths.
    has_aux: whether both return a pair with what `custom_inverse` calls aux.
    """
    return (custom_inverse(fn, inverse=inverse, gain=gain, has_aux=has_aux),
            custom_inverse(inverse, inverse=fn, gain=gain, has_aux=has_aux))
