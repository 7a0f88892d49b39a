//===- AttributeNames.h - Attributes between passes ----------- -*- C++ -*-===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Discardable attributes by which the stages of code generation tell each other
// what they know. This layer includes no other one of memrev, so names are all
// that it shares with them.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_ATTRIBUTENAMES_H
#define MEMREV_CODEGEN_COMMON_ATTRIBUTENAMES_H

#include "llvm/ADT/StringRef.h"

namespace mlir::memrev {

/// Unit, on a function: computes; has at most one outermost parallel loop.
inline constexpr llvm::StringLiteral kKernelAttr = "memrev.kernel";
/// Unit, on a public function: the wrapper that callers outside see.
inline constexpr llvm::StringLiteral kEntryAttr = "memrev.entry";
/// Unit, on a function's argument: the callee may overwrite it.
inline constexpr llvm::StringLiteral kDonatedAttr = "rev.donated";
/// String, on an argument or a result of a public function: its name for
/// callers.
inline constexpr llvm::StringLiteral kNameAttr = "rev.name";
/// String, on an argument of a public function: what of another function it is.
inline constexpr llvm::StringLiteral kResidualAttr = "rev.residual";
/// Unit, on an entry's argument: it was donated, and calls overwrite it.
inline constexpr llvm::StringLiteral kOverwrittenAttr = "memrev.overwritten";
/// String, on an entry's argument: one of the roles below.
inline constexpr llvm::StringLiteral kRoleAttr = "memrev.role";
inline constexpr llvm::StringLiteral kArgumentRole = "argument";
inline constexpr llvm::StringLiteral kResultRole = "result";
inline constexpr llvm::StringLiteral kExtentRole = "extent";
inline constexpr llvm::StringLiteral kArenaRole = "arena";
/// Type, on an entry's argument that is an address: the buffer that is there.
inline constexpr llvm::StringLiteral kBufferTypeAttr = "memrev.buffer_type";
/// Map of symbols, on an argument: its extents that its type leaves open. The
/// symbols are the open extents of the arguments before it; of an entry, its
/// arguments that are extents.
inline constexpr llvm::StringLiteral kExtentsAttr = "memrev.extents";
/// Unit, on an entry's out-parameter: the program returned a scalar.
inline constexpr llvm::StringLiteral kScalarAttr = "memrev.scalar";
/// Array of integers, on a public function: for each result of the program, in
/// order, the position of the parameter that holds it.
inline constexpr llvm::StringLiteral kResultParametersAttr =
    "memrev.result_parameters";
/// Integer, on a public function that is no entry yet: how many of its
/// parameters are the program's, the others only hold results.
inline constexpr llvm::StringLiteral kNumArgumentsAttr = "memrev.num_arguments";
/// Integer, on a public function: the most bytes that a call may take, with
/// arguments and results.
inline constexpr llvm::StringLiteral kMemoryBudgetAttr = "memrev.memory_budget";
/// On an entry: bytes of the arena that a call needs, an integer, or a map of
/// its extents, the largest of whose results it is.
inline constexpr llvm::StringLiteral kArenaBytesAttr = "memrev.arena_bytes";
/// Array of dictionaries of offset, bytes, type, location, begin and end, on an
/// entry: the buffers of the arena and the parts of a call, from 0 to 1, during
/// which they are in use. Those that are in use when most bytes are have
/// `at_peak`; others that are too small to be seen in a picture of the arena
/// are left out.
inline constexpr llvm::StringLiteral kArenaBuffersAttr = "memrev.arena_buffers";
/// Symbol, on an allocation: the function whose frame it is.
inline constexpr llvm::StringLiteral kFrameOfAttr = "memrev.frame_of";
/// Integer, on a parallel loop: the number of threads its scratch is made for.
inline constexpr llvm::StringLiteral kMaxThreadsAttr = "memrev.max_threads";
/// Array of dictionaries, on the module: what differentiation decided for each
/// value that the backward pass needs.
inline constexpr llvm::StringLiteral kPlanAttr = "memrev.plan";
/// Unit, on an operation: the backward part evaluates it again to save memory,
/// so it must not be merged with the one that it equals.
inline constexpr llvm::StringLiteral kRecomputedAttr = "memrev.recomputed";
/// Unit, on a structured operation: its kernel computes nothing else, but for
/// others that have this too.
inline constexpr llvm::StringLiteral kAloneAttr = "memrev.alone";

/// Unit, on an elementwise operation: it stays out of the kernel of the product
/// that it reads (codegen-advance-updates).
inline constexpr llvm::StringLiteral kUpdateAttr = "memrev.update";
/// The alignment of every buffer, in bytes.
inline constexpr int64_t kBufferAlignment = 64;

} // namespace mlir::memrev

#endif // MEMREV_CODEGEN_COMMON_ATTRIBUTENAMES_H
