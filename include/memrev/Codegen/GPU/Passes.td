//===- Passes.td - Code generation passes (GPU) ---------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_GPU_PASSES_TD
#define MEMREV_CODEGEN_GPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def GPUSplitReductions : Pass<"gpu-split-reductions", "func::FuncOp"> {
  let summary = "Split reductions to few outputs into two deterministic steps";
  let description = [{
    A GPU thread computes one output element, so that a reduction to few
    outputs (a loss, the statistics of a batch norm, the filter gradient of a
    small layer) would keep only a few threads busy. This pass rewrites such a
    linalg operation on tensors into one that reduces chunks, with one more
    parallel dimension for each chunked or promoted reduction dimension, and
    one that combines the partial results in a fixed order. Where a chunk size
    does not divide the dimension, a third operation reduces the tail. The
    order of the reduction depends on the operation, its types and its shape
    only; there are no atomics.

    The partial results are ordinary tensors, which get their place in the
    arena like every other. An operation whose body is not one associative
    combiner with a neutral element for each result is left alone, with a
    remark where that costs parallelism.

    Example: with `s: tensor<f32>` and `x: tensor<65536xf32>`, the sum of `x`
    becomes

    ```mlir
    %x2 = tensor.expand_shape %x [[0, 1]] output_shape [16, 4096] : ...
    %p = linalg.generic ... ins(%x2) outs(%zeros : tensor<4096xf32>)
    %s2 = linalg.generic ... ins(%p) outs(%s : tensor<f32>)
    ```
  }];
  let dependentDialects = ["affine::AffineDialect", "arith::ArithDialect",
                           "linalg::LinalgDialect", "tensor::TensorDialect"];
}

def GPUOutlineScatters : Pass<"gpu-outline-scatters", "ModuleOp"> {
  let summary = "Make one kernel of each loop that updates slices by index";
  let description = [{
    The gradient of a gather is a loop that reads a row's number from a tensor
    and adds to that row. The host would have to wait for each number. This pass
    emits such a loop, or nest of loops, as one kernel that leaves the bits that
    the loop leaves: the rows of the destination are dealt to warps, each of
    which goes through all iterations in order and makes the updates of its rows.

    It takes loops of static counts that carry one tensor and do nothing with it
    but update one slice or element, by one elementwise kernel, a copy or scalar
    operations, at an index that is read from a tensor. Slices must be equal or
    disjoint: an index selects one element of a dimension. Other loops are left
    alone. An update at an index that is outside of the destination, which is
    undefined in the loop, is left out.

    Example: in

    ```mlir
    %r = scf.for %i = %c0 to %c4096 step %c1 iter_args(%a = %init) -> (tensor<256x192xf32>) {
      %e = tensor.extract %rows[%i] : tensor<4096xi32>
      %row = arith.index_cast %e : i32 to index
      %s = func.call @add_to_row(%x, %i, %row, %a) : ...
      scf.yield %s : tensor<256x192xf32>
    }
    ```

    the loop becomes

    ```mlir
    %r = call @scatter_0(%rows, %x, %init)
        : (tensor<4096xi32>, tensor<4096x192xf32>, tensor<256x192xf32>) -> tensor<256x192xf32>
    ```
  }];
  let dependentDialects = ["arith::ArithDialect", "func::FuncDialect",
                           "gpu::GPUDialect", "linalg::LinalgDialect",
                           "LLVM::LLVMDialect", "NVVM::NVVMDialect",
                           "scf::SCFDialect", "tensor::TensorDialect"];
}

def GPUSelectEngines : Pass<"gpu-select-engines", "func::FuncOp"> {
  let summary = "Choose which products and convolutions a library computes";
  let description = [{
    Reads each sum of products as loops and accesses. What is a product of
    matrices that cuBLASLt computes, of one range of rows, columns and depth
    and one of a batch, or two with at most 16 in one, in column-major or
    row-major order with any distance of lines, becomes a kernel of its own: it
    gets `memrev.engine = "vendor"`, which `gpu-call-libraries` looks for, and
    with an operation that only rounds its result `memrev.alone`, which keeps
    fusion away. A 1x1 convolution is such a product, and so are the gradients
    of one. So does a convolution of one or two dimensions with the channels
    last that cuDNN computes: forward, or the gradient by its filter, or that by
    its image for a stride of 1, which is a convolution itself.

    With `contractions=vendor` all of these are marked, and a remark names each
    other sum of products with the reason. With `contractions=auto` those are
    that no other operation would be part of the kernel of, that have 2^30
    multiply-adds or more, and whose factors are f16, bf16 or, with tf32, f32, on
    chips with `wgmma` or a later instruction (sm_90 and above) where the
    generated kernel would use `mma.sync`.

    An operation that has the attribute `memrev.engine` before is marked if this
    is "vendor", whatever the option says, and not if it is "generated".
  }];
  let dependentDialects = ["func::FuncDialect", "linalg::LinalgDialect",
                           "tensor::TensorDialect"];
  let options = [
    Option<"chip", "chip", "std::string", /*default=*/"\"sm_90\"",
           "Chip to choose for, sm_90 for example">,
    Option<"fp32Precision", "fp32-precision", "std::string",
           /*default=*/"\"ieee\"",
           "How matrices of f32 are multiplied: ieee, tf32 or tf32x3">,
    Option<"contractions", "contractions", "std::string",
           /*default=*/"\"generated\"",
           "Who computes products and convolutions: generated, vendor or "
           "auto">
  ];
}

def GPUCallLibraries : Pass<"gpu-call-libraries", "ModuleOp"> {
  let summary = "Declare kernels that a library computes";
  let description = [{
    Leaves a declaration of each kernel function that has the attribute
    `memrev.engine = "vendor"`, or an operation with it, for cuBLASLt or cuDNN to
    compute.
    `memrev.matmul` describes the product: which arguments the matrices are in
    and where, sizes and types, and whether it is added to what the destination
    holds. The kernel function gives the declared kernel a workspace, a tensor
    which bufferization plans like others: 32 MiB from sm_90 on and else 4 MiB,
    as NVIDIA recommends, but no more than 32 times the sums. Constant operands
    are copied to device memory.

    A convolution is described by `memrev.convolution` for cuDNN. It has the
    filter with the output channels first and the input channels last: a kernel
    in front of the call copies it, or one behind it copies or adds the gradient
    to where the program has that. The workspace is four times the bytes of the
    three tensors, but at least 4 and at most 32 MiB.

    A kernel that no library can compute is left to be generated, with a remark.

    Example: a product becomes

    ```mlir
    func.func private @matmul_0(%a: tensor<64x32xf32>, %b: tensor<32x48xf32>, %d: tensor<64x48xf32>)
        -> tensor<64x48xf32> {
      %w = tensor.empty() : tensor<393472xi8>
      %r:2 = call @matmul_0_library(%a, %b, %w, %d) : ...
      return %r#1 : tensor<64x48xf32>
    }
    func.func private @matmul_0_library(...) -> (tensor<393472xi8>, tensor<64x48xf32>)
        attributes {memrev.kernel, memrev.matmul = {...}}
    ```
  }];
  let dependentDialects = ["func::FuncDialect", "linalg::LinalgDialect",
                           "tensor::TensorDialect"];
  let options = [
    Option<"chip", "chip", "std::string", /*default=*/"\"sm_90\"",
           "Chip to call libraries on, sm_90 for example">,
    Option<"fp32Precision", "fp32-precision", "std::string",
           /*default=*/"\"ieee\"",
           "How matrices of f32 are multiplied: ieee, tf32 or tf32x3">
  ];
}

def GPUSelectStrategy : Pass<"gpu-select-strategy", "func::FuncOp"> {
  let summary = "Choose how kernels are emitted for a GPU";
  let description = [{
    Reads each kernel function as loops and accesses and writes the sizes to
    emit it with on it, as the attribute `memrev.strategy`. The choice depends
    on the operation, its types, its shape and the chip only. A kernel that no
    emitter takes is left alone, with a remark: its operations become parallel
    loops after bufferization.
  }];
  let options = [
    Option<"chip", "chip", "std::string", /*default=*/"\"sm_90\"",
           "Chip to choose sizes for, sm_90 for example">,
    Option<"fp32Precision", "fp32-precision", "std::string",
           /*default=*/"\"ieee\"",
           "How matrices of f32 are multiplied: ieee, tf32 (tensor cores, the "
           "factors rounded to 10 bits of mantissa) or tf32x3 (three such "
           "products for one; infinite factors give NaN)">
  ];
}

def GPUScheduleKernels : Pass<"gpu-schedule-kernels", "ModuleOp"> {
  let summary = "Emit kernels with a strategy as device functions";
  let description = [{
    Emits each kernel function that has a strategy as an `llvm.func` in the
    `gpu.module` `memrev_kernels`: threads, shared memory, tensor cores. What is
    left of the function on tensors is a declaration, whose arguments say what
    the kernel does with their buffers and whose last arguments are the
    destinations of its results; `memrev.launch` has its blocks, threads and
    bytes of shared memory. Bufferization sees no more of a kernel than that.
    Kernel functions without a strategy are inlined into their callers.

    Example: an addition becomes

    ```mlir
    func.func private @add_0(tensor<64xf32> {bufferization.access = "read"},
                             tensor<64xf32> {bufferization.access = "write"})
        -> tensor<64xf32> attributes {memrev.kernel, memrev.launch = array<i64: 1, 256, 0>}
    gpu.module @memrev_kernels {
      llvm.func @add_0(%a: !llvm.ptr<1>, %b: !llvm.ptr<1>) attributes {gpu.kernel, ...} { ... }
    }
    ```
  }];
  let dependentDialects = ["arith::ArithDialect", "func::FuncDialect",
                           "gpu::GPUDialect", "LLVM::LLVMDialect",
                           "NVVM::NVVMDialect", "scf::SCFDialect",
                           "tensor::TensorDialect"];
}

def GPUEmitCopies : Pass<"gpu-emit-copies", "ModuleOp"> {
  let summary = "Emit copies of buffers as kernels";
  let description = [{
    Emits each `memref.copy` and `linalg.copy` of static shape, between whole
    buffers or slices of them, as an elementwise kernel, with accesses of up to 16
    bytes, and calls it like those that `gpu-schedule-kernels` emits. Copies of
    the same shapes and strides share a kernel, which gets dynamic offsets as
    arguments. Other copies are left alone.

    Example:

    ```mlir
    %s = memref.subview %b[%i, 0] [1, 64] [1, 1] : memref<8x64xf32> to memref<64xf32, strided<[1], offset: ?>>
    memref.copy %a, %s : memref<64xf32> to memref<64xf32, strided<[1], offset: ?>>
    ```

    becomes

    ```mlir
    call @copy(%a, %i, %b) : (memref<64xf32>, index, memref<8x64xf32>) -> ()
    ```
  }];
  let dependentDialects = ["arith::ArithDialect", "func::FuncDialect",
                           "gpu::GPUDialect", "linalg::LinalgDialect",
                           "LLVM::LLVMDialect", "NVVM::NVVMDialect",
                           "scf::SCFDialect", "tensor::TensorDialect"];
}

def GPUJoinKernels : Pass<"gpu-join-kernels", "ModuleOp"> {
  let summary = "Launch neighbouring kernels of one block as one";
  let description = [{
    A launch takes longer than most kernels of a single block: the statistics of
    a batch norm, the update of a bias. Where such kernels that
    `gpu-schedule-kernels` emitted follow one another, with nothing between them
    but views and indices, this pass makes one kernel of them, in which a
    barrier of the block takes the place of the end of each.

    Kernels with different numbers of threads are joined if nobody waits for
    others in them.

    Example: of the calls

    ```mlir
    call @mean_0(%sum, %mean)
    call @scale_1(%weight, %mean, %scale)
    ```

    one of `@mean_0_joined` with all operands is left.
  }];
  let dependentDialects = ["arith::ArithDialect", "LLVM::LLVMDialect",
                           "NVVM::NVVMDialect", "scf::SCFDialect"];
}

def GPULaunchKernels : Pass<"gpu-launch-kernels", "ModuleOp"> {
  let summary = "Turn calls of emitted kernels into launches";
  let description = [{
    Replaces each call of a kernel that `gpu-schedule-kernels` emitted by a
    `gpu.launch_func` with the addresses of its buffers, and erases the
    declarations. Those of libraries are left to `gpu-thread-streams`. A kernel
    whose argument is a constant buffer, which the host
    holds, is cloned to one that has the constant in the module of the device.
  }];
  let dependentDialects = ["arith::ArithDialect", "gpu::GPUDialect",
                           "LLVM::LLVMDialect", "memref::MemRefDialect"];
}

def GPULinalgToParallel : Pass<"gpu-linalg-to-parallel", "func::FuncOp"> {
  let summary = "Lower linalg and copies on buffers to one parallel loop each";
  let description = [{
    Lowers each linalg operation and `memref.copy` on buffers to one
    `scf.parallel` over the iteration dimensions that select an output element,
    ordered so that the last one is the innermost dimension of the first
    output. All other dimensions become sequential loops inside it, which carry
    the output elements in registers, so that an iteration of the parallel loop
    writes each of its elements once and no two iterations write the same one.

    Example: a `linalg.matmul` becomes

    ```mlir
    scf.parallel (%m, %n) = (%c0, %c0) to (%M, %N) step (%c1, %c1) {
      %init = memref.load %c[%m, %n]
      %sum = scf.for %k = %c0 to %K step %c1 iter_args(%acc = %init) { ... }
      memref.store %sum, %c[%m, %n]
    }
    ```

    Operations that already are in a parallel loop or a kernel are left alone.
  }];
  let dependentDialects = ["affine::AffineDialect", "arith::ArithDialect",
                           "memref::MemRefDialect", "scf::SCFDialect"];
}

def GPUStoreScalarResults : Pass<"gpu-store-scalar-results", "ModuleOp"> {
  let summary = "Store scalar results where they are computed";
  let description = [{
    A scalar that an entry returns, a loss for example, is stored at its end, and
    the private function with the program's body returns it before. By then other
    values have taken its place in the arena, so that the host would have to
    read it back in the middle of the program and wait. This pass moves each
    store into a scalar result behind the arithmetic that computes the scalar,
    in the private function if that is called once: `gpu-scalars-to-device` can
    then move it to the device.

    Example: with `%r` marked as a scalar result of `@step`,

    ```mlir
    %0 = call @body(%x) : (memref<4xf32>) -> f32
    memref.store %0, %r[] : memref<f32>
    ```

    becomes

    ```mlir
    call @body(%x, %r) : (memref<4xf32>, memref<f32>) -> ()
    ```
  }];
  let dependentDialects = ["memref::MemRefDialect"];
}

def GPUScalarsToTensors : Pass<"gpu-scalars-to-tensors", "func::FuncOp"> {
  let summary = "Compute scalars that only kernels need on the device";
  let description = [{
    A `tensor.extract` is a read by the host, which waits for the device, and
    which no CUDA graph can hold. A scalar that is computed from such elements,
    the factor of a clipped gradient or a learning rate for example, is often
    only read by kernels again. This pass computes it by a `linalg.generic`
    without dimensions, once for all its readers, which get the result as an
    input: operations whose bodies capture it, fills, `tensor.splat`,
    `tensor.from_elements` of one element, selections between tensors.

    Loops of known trips and branches carry such scalars as tensors. What a trip
    count, a condition, an offset or a size depends on stays with the host, and
    so does what an `scf.while` carries.

    Example:

    ```mlir
    %s = tensor.extract %norm[] : tensor<f32>
    %f = arith.divf %largest, %s : f32
    %r = linalg.generic ... ins(%x : tensor<64xf32>) ... { ... arith.mulf %a, %f ... }
    ```

    becomes

    ```mlir
    %f = linalg.generic ... ins(%norm : tensor<f32>) ... { ... arith.divf %largest, %a ... } -> tensor<f32>
    %r = linalg.generic ... ins(%x, %f : tensor<64xf32>, tensor<f32>) ... { ... arith.mulf %a, %b ... }
    ```
  }];
  let dependentDialects = ["arith::ArithDialect",
                           "bufferization::BufferizationDialect",
                           "linalg::LinalgDialect", "tensor::TensorDialect"];
}

def GPUScalarsToDevice : Pass<"gpu-scalars-to-device", "func::FuncOp"> {
  let summary = "Move scalar accesses to device memory into parallel loops";
  let description = [{
    All buffers of a program are device memory, which the host must not
    dereference. Each `memref.store` outside a parallel loop becomes a parallel
    loop of one iteration. A `memref.load` outside, with the scalar arithmetic
    on its result, moves into the parallel loops that use it, provided that all
    uses are in such loops and that nothing between the load and a use may
    write to the loaded buffer.

    Every other load is left where it is: `gpu-thread-streams` turns it into a
    read-back that waits for the device. A loop bound or a condition that
    depends on a tensor needs that.

    Buffers are taken to overlap unless they are different ranges of one arena,
    or one is in the arena (a `memref.view` of a byte buffer) and the other is
    not.
  }];
  let dependentDialects = ["arith::ArithDialect", "scf::SCFDialect"];
}

def GPUParallelToLaunch : Pass<"gpu-parallel-to-launch", "ModuleOp"> {
  let summary = "Map parallel loops to kernel launches";
  let description = [{
    Turns each outermost `scf.parallel` into a `gpu.launch` of a 1-D grid of 1-D
    blocks. The iterations are numbered, the last dimension fastest, and a
    thread runs the iterations `id, id + threads, ...` below their number, so
    that any number of iterations is right on any grid. Nested parallel loops
    become sequential ones. Constants and views (`memref.view`,
    `memref.subview`, constant buffers and their kin) are computed in the
    kernel: it gets whole buffers and scalars. The offset of a view of the arena
    is one of the scalars, so that layers with equal shapes have equal kernels.

    A loop that statically has no iteration is removed. A loop with results is
    an error: reductions across threads are split into two loops before.
  }];
  let dependentDialects = ["arith::ArithDialect", "gpu::GPUDialect",
                           "scf::SCFDialect"];
  let options = [
    Option<"kernelModule", "kernel-module", "std::string",
           /*default=*/"\"memrev_kernels\"",
           "Name of the gpu.module that outlining puts the kernels into, with a "
           "number if something else has it">
  ];
}

def GPULaunchToLoops : Pass<"gpu-launch-to-loops", "func::FuncOp"> {
  let summary = "Run kernel launches as sequential loops on the host";
  let description = [{
    Replaces each `gpu.launch` by loops over its blocks and threads, so that the
    very kernels meant for a GPU can be run and compared on a machine without
    one. Threads run one after another from the first instruction to the last,
    which is a valid schedule of a kernel without barriers and shuffles. A
    kernel with one of these or with workgroup memory is an error.
  }];
  let dependentDialects = ["arith::ArithDialect", "scf::SCFDialect"];
}

def GPUMergeKernels : Pass<"gpu-merge-kernels", "ModuleOp"> {
  let summary = "Keep one of each group of equal kernels";
  let description = [{
    Compares the kernels of each `gpu.module` by structure, ignoring names and
    locations, keeps the first of each group of equal ones and redirects the
    launches. Kernels take whole buffers and scalars, so that the layers of a
    network which have equal shapes share theirs and compile time is per
    distinct kernel.
  }];
}

def GPUCopyConstants : Pass<"gpu-copy-constants", "func::FuncOp"> {
  let summary = "Copy constants that control flow carries";
  let description = [{
    Kernels hold the constants that they read. One that a branch yields, that a
    loop starts with or that a selection chooses has no name in the kernel, which
    would read the host's memory: it becomes a `linalg.copy` of itself, a kernel
    that writes device memory.

    Example: in a branch, `scf.yield %cst : tensor<4xf32>` becomes
    ```mlir
    %0 = tensor.empty() : tensor<4xf32>
    %1 = linalg.copy ins(%cst : tensor<4xf32>) outs(%0 : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %1 : tensor<4xf32>
    ```
  }];
  let dependentDialects = ["linalg::LinalgDialect", "tensor::TensorDialect"];
}

def GPUExpandMath : Pass<"gpu-expand-math", "gpu::GPUModuleOp"> {
  let summary = "Expand math functions that the GPU has no instruction for";
  let description = [{
    Expands the functions of the math dialect in kernels into arithmetic, so
    that PTX can be generated without CUDA's device library. f16 and bf16 are
    computed in f32. All arguments are right, to some units in the last place
    that docs/GPU.md lists: subnormals, infinities, NaN, zeros of both signs,
    angles of any size.

    A function for which there is no expansion is an error at its location.
  }];
  let dependentDialects = ["arith::ArithDialect", "LLVM::LLVMDialect",
                           "math::MathDialect", "scf::SCFDialect"];
}

def GPUKernelsToNVVM : Pass<"gpu-kernels-to-nvvm", "gpu::GPUModuleOp"> {
  let summary = "Convert kernels to the LLVM and NVVM dialects";
  let description = [{
    Converts the gpu, arith, math, memref and cf operations of a kernel module.
    Unlike `convert-gpu-to-nvvm`, which turns even a square root into a call of
    CUDA's device library, it uses LLVM's intrinsics, which the backend has
    instructions for: `gpu-expand-math` leaves no others.

    An operation without a lowering is an error at its location.
  }];
  let dependentDialects = ["LLVM::LLVMDialect", "NVVM::NVVMDialect"];
}

def GPUThreadStreams : Pass<"gpu-thread-streams", "ModuleOp"> {
  let summary = "Run the kernels of a call on one stream";
  let description = [{
    Makes the host code of a program whose kernels have been outlined explicit:

    - every function that launches kernels, or calls one that does, gets the
      stream as its last argument; a public function becomes a wrapper that
      asks the runtime for a stream, calls a private function with its body, and
      tells the runtime that the call has ended, which waits for the results
      unless the caller has chosen the stream;
    - the wrapper names the buffers and scalars of the call to the runtime,
      which compares them with earlier calls: it may record what the body
      launches as a CUDA graph and launch that next time, without the body;
    - every kernel gets one host function that launches it. A launch allocates
      its parameters on the stack, and in a loop this would grow the stack with
      the trip count;
    - a call of a kernel that a library computes becomes one of the runtime's
      function for it, and public functions that need the library ask for it
      before they do anything;
    - a `memref.load` on the host is read back through the runtime, which waits
      for the stream. A remark says so: calls of such a function always run its
      body.

    With `bare-ptr-entries` public functions get C's calling convention, one
    plain device pointer a buffer. Their buffers must then have static shapes.
    Any other access to memory on the host is an error at its location.
  }];
  let dependentDialects = ["arith::ArithDialect", "func::FuncDialect",
                           "gpu::GPUDialect", "LLVM::LLVMDialect",
                           "memref::MemRefDialect", "scf::SCFDialect"];
  let options = [
    Option<"bareEntries", "bare-ptr-entries", "bool", /*default=*/"true",
           "Give public functions plain pointers for their buffers">
  ];
}

def GPUAssembleKernels : Pass<"gpu-assemble-kernels", "ModuleOp"> {
  let summary = "Make binaries of kernel modules";
  let description = [{
    Replaces each `gpu.module`, in the LLVM and NVVM dialects and with one
    target, by a `gpu.binary`. Unlike `gpu-module-to-binary` it needs no device
    library, and it finds ptxas and fatbinary in the toolkits that CUDA_ROOT,
    CUDA_HOME and CUDA_PATH name, on PATH, and in NVIDIA's Python packages, those
    of the Python on PATH and those installed beside the compiler. The formats
    are

    - `isa`: PTX, which needs no other program, and which the driver compiles;
    - `bin`: a cubin, machine code of one chip, made by ptxas;
    - `fatbin`: a cubin and its PTX, for drivers that are too old for the cubin;
    - `auto`: `fatbin` where its programs are found, and else `isa`;
    - `llvm`: LLVM's bitcode, which tests run without a GPU.

    A program that is not found or that fails is an error.
  }];
  let options = [
    Option<"format", "format", "std::string", /*default=*/"\"isa\"",
           "What to make of the kernels: isa, bin, fatbin, auto or llvm">
  ];
}

def GPUAttachTarget : Pass<"gpu-attach-target", "ModuleOp"> {
  let summary = "Check the chip and attach it to the kernels";
  let description = [{
    Attaches an NVVM target to each `gpu.module`. The chip has no default. A
    chip that LLVM's NVPTX backend does not know, or a PTX version that it does
    not know or that is too old for the chip, is an error, which the backend
    itself would warn of or end the process for. So is an unknown format.

    With no PTX version the oldest that the chip and the kernels need is taken,
    so that the oldest drivers can load the result.
  }];
  let dependentDialects = ["gpu::GPUDialect", "NVVM::NVVMDialect"];
  let options = [
    Option<"chip", "chip", "std::string", /*default=*/"\"\"",
           "Chip to compile for, sm_90 for example">,
    Option<"ptxVersion", "ptx-version", "unsigned", /*default=*/"0",
           "PTX version times ten, 80 for 8.0; 0 takes what the chip needs">,
    Option<"optLevel", "opt-level", "unsigned", /*default=*/"2",
           "Optimization level of the device code">,
    Option<"format", "format", "std::string", /*default=*/"\"isa\"",
           "What is to become of the kernels, which is only checked here: isa, "
           "bin, fatbin, auto or llvm">
  ];
}

#endif // MEMREV_CODEGEN_GPU_PASSES_TD
