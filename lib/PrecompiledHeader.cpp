//===- PrecompiledHeader.cpp - Anchor of the precompiled header -----------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// CMake builds a precompiled header for a target that compiles something.
//
//===----------------------------------------------------------------------===//
