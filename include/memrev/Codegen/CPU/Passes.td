//===- Passes.td - Code generation passes (CPU) ---------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_CPU_PASSES_TD
#define MEMREV_CODEGEN_CPU_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// Passes of the binary stage for the CPU
//===----------------------------------------------------------------------===//

def CodegenFinalizeFunctions : Pass<"codegen-finalize-functions", "ModuleOp"> {
  let summary = "Set linkage, inlining and aliasing of functions";
  let description = [{
    Private functions become internal to their object file. They are not inlined:
    kernels are called many times, and were outlined to keep the time of LLVM's
    optimiser linear. Their buffer arguments do not alias, which bufferization
    guarantees: it copies an operand that another operand of the same call
    overwrites. `bufferization.access` has done its part and is removed.
  }];
  let dependentDialects = ["LLVM::LLVMDialect", "arith::ArithDialect",
                           "func::FuncDialect", "memref::MemRefDialect"];
}

def CodegenOutlineLoops : Pass<"codegen-outline-loops", "ModuleOp"> {
  let summary = "Move loops out of long functions";
  let description = [{
    In a function of at least `min-ops` operations each outermost loop that reads
    and writes buffers becomes a private function and a call. What is left is a
    long chain of calls, which codegen-finalize-functions then exempts from LLVM's
    optimisations: their time grows faster than the length of a block, and they
    would find nothing. A loop that captures a buffer with a dynamic layout
    stays.

    Example: an unrolled network of 128 blocks with a few strided copies between
    its kernel calls.
  }];
  let options = [
    Option<"minOps", "min-ops", "int64_t", /*default=*/"1000",
           "Length from which a function is cut">
  ];
  let dependentDialects = ["func::FuncDialect"];
}

def CodegenMathToLibm : Pass<"codegen-math-to-libm", "ModuleOp"> {
  let summary = "Call libm, and libmvec for vectors, for elementary functions";
  let description = [{
    Elementary functions of the `math` dialect (exp, log, tanh, erf, pow and
    their kin) on f32 and f64 become calls of glibc's libmvec, for the width of
    `vector-bits`: longer vectors are cut, shorter ones and scalars filled up with
    what they hold. Functions for other widths, and libm's, round differently: a
    function that is evaluated again, to undo a coupling, has to give the same bits
    whatever loop it is in. Upstream's lowering
    of `math.log1p` and `math.expm1` loses all digits near zero; this one does
    not. What LLVM lowers to instructions (sqrt, fma, floor, …) stays.

    Example: `math.exp %x : vector<16xf32>` becomes
    `call @_ZGVeN16v_expf(%x) : (vector<16xf32>) -> vector<16xf32>`.
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", /*default=*/"128",
           "Widest vector register, in bits; 0 for calls of libm only">
  ];
  let dependentDialects = ["arith::ArithDialect", "func::FuncDialect",
                           "ub::UBDialect", "vector::VectorDialect",
                           "LLVM::LLVMDialect"];
}

def CodegenParallelToOpenMP : Pass<"codegen-parallel-to-openmp", "ModuleOp"> {
  let summary = "Run outermost parallel loops on all threads";
  let description = [{
    Each outermost `scf.forall`, and each outermost `scf.parallel` without
    reductions, becomes an OpenMP worksharing loop with a static schedule, so
    that results do not depend on the number of threads. Parallel loops inside
    become sequential. Stack buffers of the body are allocated once for each
    thread, outside the worksharing loop. A loop marked `memrev.max_threads` runs
    on at most so many threads.

    With `parallel` off all loops become sequential.
  }];
  let options = [
    Option<"parallel", "parallel", "bool", /*default=*/"true",
           "Emit OpenMP; otherwise make every loop sequential">
  ];
  let dependentDialects = ["arith::ArithDialect", "func::FuncDialect",
                           "omp::OpenMPDialect", "scf::SCFDialect"];
}

def CodegenNarrowVectorsToBytes : Pass<"codegen-narrow-vectors-to-bytes"> {
  let summary = "Read and write vectors of elements of less than a byte as bytes";
  let description = [{
    An element of a buffer has at least a byte, but the elements of a vector in
    memory lie bit by bit. A vector of i1, a part of a mask, is therefore read as
    bytes, of which the lowest bit is taken, and written as zeros and ones. The
    buffer is cast to one of bytes: both are the same in the LLVM dialect, where
    the cast vanishes.
  }];
  let dependentDialects = ["arith::ArithDialect"];
}

def CodegenStridedCopiesToLoops : Pass<"codegen-strided-copies-to-loops"> {
  let summary = "Turn copies of strided buffers into loops";
  let description = [{
    A `memref.copy` between contiguous buffers becomes memcpy. One that has a
    strided side would become a call of a library function that copies element
    by element through pointers, so it is turned into a `linalg.generic`.
  }];
  let dependentDialects = ["linalg::LinalgDialect"];
}

def CPUSelectStrategy : Pass<"cpu-select-strategy", "func::FuncOp"> {
  let summary = "Choose tile sizes for a kernel and attach them to it";
  let description = [{
    Reads a kernel (a function with `memrev.kernel`) as a loop space with affine
    accesses and attaches the sizes to schedule it with as `memrev.strategy`.
    The choice depends on the loops, the element types and the options alone.
    A kernel that already has the attribute keeps it, so sizes can be set by
    hand. Dimensions are those of the loop space: without dimensions of one
    iteration, and with dimensions merged that are contiguous together.

    Example: a matmul of 512x512 gets
    `{engine = "contraction", lanes = 16, vector_dim = 1, panel = 2,
      row_dim = 0, rows = 12, pack = true, parallel_dims = array<i64: 0>, ...}`.
    For a convolution in 32 groups of 4 channels it has `group_dim = 3,
    vector_dim = 4`: 4 groups lie in a vector of 16 lanes, and the two dimensions
    are one, named `vector_dim`, for the other sizes.

    A kernel that no rule covers gets no attribute, and a remark with the reason:
    `missed` of category `cpu-schedule` where remarks are set up, else a
    diagnostic.
  }];
  let dependentDialects = ["arith::ArithDialect"];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512",
           "Width of a vector register: 512 or 256">,
    Option<"accumulators", "accumulators", "int64_t", "24",
           "Vector registers that hold sums: 14 to 24 of 32, 8 to 12 of 16">
  ];
}

def CPUScheduleKernels : Pass<"cpu-schedule-kernels", "func::FuncOp"> {
  let summary = "Rewrite a kernel to tiled loops over vectors";
  let description = [{
    Obeys `memrev.strategy`: the linalg ops of a kernel are replaced by at most
    one outermost `scf.forall`, `scf.for` inside, and vector ops, still on
    tensors. Products and convolutions of any stride, dilation and size run in
    register tiles; rows and columns of zero padding are skipped rather than
    read; a partial vector is masked. Operands that have to be rearranged are
    copied once into a `tensor.empty` at the top of the kernel. A long reduction
    is cut into a fixed number of chunks with partial results in such a tensor,
    combined in order after the parallel loop, so that results do not depend on
    the number of threads.

    f32 `math` functions become polynomials on vectors. A kernel without
    `memrev.strategy` is left alone.

    Example:

    ```mlir
    %r = linalg.generic ... ins(%x : tensor<1048576xf32>) outs(%d) { arith.mulf }
    ```

    becomes

    ```mlir
    %r = scf.forall (%i) = (0) to (1048576) step (16384)
           shared_outs(%o = %d) -> (tensor<1048576xf32>) {
      %t = tensor.extract_slice %o[%i] [16384] [1]
      %u = scf.for %j = %c0 to %c16384 step %c64 iter_args(%a = %t) {
        %v = vector.transfer_read %x[...]
        ...
    ```
  }];
  let dependentDialects = [
    "LLVM::LLVMDialect", "affine::AffineDialect", "arith::ArithDialect",
    "bufferization::BufferizationDialect", "math::MathDialect", "scf::SCFDialect", "tensor::TensorDialect", "vector::VectorDialect"
  ];
}

#endif // MEMREV_CODEGEN_CPU_PASSES_TD
