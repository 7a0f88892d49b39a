//===- Passes.td - Code generation passes (Common) ------------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_CODEGEN_COMMON_PASSES_TD
#define MEMREV_CODEGEN_COMMON_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// File organization
//
// Passes that every target shares: here those of the bufferize stage and of
// several, in FusePasses.td those of the schedule stage. This layer sees upstream dialects only: what it has to know of
// the others comes as discardable attributes (`memrev.kernel`, `rev.donated`).
//===----------------------------------------------------------------------===//

def CodegenWrapEntries : Pass<"codegen-wrap-entries", "ModuleOp"> {
  let summary = "Split public functions into a read-only wrapper and an in-place body";
  let description = [{
    A public function may not overwrite its arguments, but inversion lives on
    overwriting. After codegen-results-to-destinations each public function with
    a body is renamed and made private, and a wrapper of the old name, marked
    `memrev.entry`, calls it. Its parameters are the arguments, then one for each
    result, scalars too; none aliases another one, and arguments are only read:
    the wrapper copies those that the body writes to, itself or in callees, to the
    result that lives in them or else to a buffer. An argument that carries the
    unit attribute `rev.donated` is overwritten, and the result that lives in it
    has no parameter. `memrev.role` on a parameter is "argument" or "result",
    `memrev.result_parameters` gives the parameter of each result.

    Argument and result types of a public function must be scalars or tensors,
    with elements of integer, index or float type. A buffer whose type leaves
    extents open is taken by its address, as `memref<1x...>` with
    `memrev.buffer_type`; the extents of arguments are parameters behind the
    arguments, of the role "extent", and those of results follow from them
    (`memrev.extents`).

    Example:

    ```mlir
    func.func @f(%x: memref<4xf32>, %y: memref<4xf32>)
        attributes {memrev.result_parameters = array<i64: 0>, …} {
      linalg.add ins(%x, %y : …) outs(%x : memref<4xf32>)
      return
    }
    ```

    becomes

    ```mlir
    func.func @f(%x: memref<4xf32>, %y: memref<4xf32>, %r: memref<4xf32>)
        attributes {memrev.entry, memrev.result_parameters = array<i64: 2>} {
      memref.copy %x, %r : memref<4xf32> to memref<4xf32>
      call @f.inplace(%r, %y) : (memref<4xf32>, memref<4xf32>) -> ()
      return
    }
    func.func private @f.inplace(…
    ```
  }];
  let options = [
    Option<"staticOnly", "static-only", "bool", /*default=*/"false",
           "Whether open extents are errors">
  ];
  let dependentDialects = ["affine::AffineDialect", "func::FuncDialect",
                           "memref::MemRefDialect"];
}

def CodegenExpandMath : Pass<"codegen-expand-math"> {
  let summary = "Expand math operations that no target has";
  let description = [{
    Some operations of the math dialect have no lowering, or a wrong one:

    - `math.clampf` becomes a maximum and a minimum; upstream's expansion takes
      the bounds the wrong way round;
    - `math.sincos` becomes a sine and a cosine;
    - `math.isinf` and `math.isnormal` become comparisons.

    Example: `math.isinf %x : f32` becomes
    ```mlir
    %0 = math.absf %x : f32
    %1 = arith.cmpf oeq, %0, %infinity : f32
    ```
  }];
  let dependentDialects = ["arith::ArithDialect", "math::MathDialect"];
}

def CodegenExpandTensorOps : Pass<"codegen-expand-tensor-ops"> {
  let summary = "Expand tensor operations that do not bufferize";
  let description = [{
    Upstream bufferizes no `tensor.gather`, `tensor.scatter` and
    `tensor.bitcast`, no `tensor.pad` that cuts elements off and no slice without
    elements that begins behind the last one, and lowers `tensor.reshape` and some
    expansions to code that no target has:

    - a gather becomes one parallel `linalg.generic` that reads its source at
      computed places;
    - a scatter becomes loops over the tuples of coordinates that update the
      destination in place;
    - a bitcast becomes `arith.bitcast`, or nothing if the element type stays;
    - a reshape by a tensor of sizes becomes a collapse and an expansion, and an
      expansion of one dimension to several of dynamic extent a copy;
    - negative amounts of padding become a slice of the source, and a pad that
      keeps no element becomes a `tensor.generate`;
    - a concatenation does without operands that have no elements.

    A bitcast between integers of different signs stays.

    Example: `tensor.pad %x low[-1] high[2] : tensor<4xf32> to tensor<5xf32>`
    becomes

    ```mlir
    %s = tensor.extract_slice %x[1] [3] [1] : tensor<4xf32> to tensor<3xf32>
    %y = tensor.pad %s low[0] high[2] {...} : tensor<3xf32> to tensor<5xf32>
    ```
  }];
  let dependentDialects = ["arith::ArithDialect", "linalg::LinalgDialect",
                           "scf::SCFDialect", "tensor::TensorDialect"];
}

def CodegenReshapeSlices : Pass<"codegen-reshape-slices"> {
  let summary = "Make rank reductions of slices that upstream mistakes reshapes";
  let description = [{
    Upstream's canonicalization replaces a slice by one with more constants, and
    takes the first dimensions of size 1 for those that a rank reduction drops.
    Where others are dropped, or where a dynamic size may turn out to be 1 in
    front of them, the slice becomes another one, an invalid cast, or a crash:
    `%x[0, %c1, %i] [1, 4, 1]` to `tensor<1x4xf32>` is canonicalized to
    `%x[0, 1, %i] [1, 1, 4]`.

    This pass takes the reduction out of such a `tensor.extract_slice`, to a
    `tensor.collapse_shape`, and out of such a `tensor.insert_slice` or
    `tensor.parallel_insert_slice`, to a `tensor.expand_shape` of its source.
    Others stay: no size that becomes known can make upstream's choice another
    one. Along sizes of 1 strides become 1, which of the views of a buffer say
    what was dropped. The pass runs before the first canonicalization, and again once rules
    and expansions have made their slices; it is one walk.

    Example:

    ```mlir
    %s = tensor.extract_slice %x[0, %j, %i] [1, 4, 1] [1, 1, 1]
        : tensor<2x4x4xf32> to tensor<1x4xf32>
    ```

    becomes

    ```mlir
    %0 = tensor.extract_slice %x[0, %j, %i] [1, 4, 1] [1, 1, 1]
        : tensor<2x4x4xf32> to tensor<1x4x1xf32>
    %s = tensor.collapse_shape %0 [[0], [1, 2]]
        : tensor<1x4x1xf32> into tensor<1x4xf32>
    ```
  }];
  let dependentDialects = ["tensor::TensorDialect"];
}

def CodegenCallExternals : Pass<"codegen-call-externals", "ModuleOp"> {
  let summary = "Give functions without a body buffers for their results";
  let description = [{
    A function that is called and has no body is somebody else's code. It is
    called as entries are: with pointers to its arguments, which it only reads,
    then to its results, which it writes. So its declaration gets a destination
    for each result, and scalars become tensors of rank 0. Shapes are static,
    for a pointer does not tell any.

    Example: of `@f(tensor<4xf32>, f32) -> tensor<4xf32>` it makes
    `@f(tensor<4xf32>, tensor<f32>, tensor<4xf32>) -> tensor<4xf32>`, whose last
    argument is written.
  }];
  let options = [
    Option<"isAllowed", "is-allowed", "bool", /*default=*/"true",
           "Whether the program can call code that it does not have">
  ];
  let dependentDialects = ["tensor::TensorDialect"];
}

def CodegenConstantsToFills : Pass<"codegen-constants-to-fills"> {
  let summary = "Turn large splat tensor constants into fills of fresh tensors";
  let description = [{
    A tensor constant bufferizes to a global buffer, which costs its bytes for
    the whole life of the program and is copied before it is overwritten. Splat
    constants of more than `max-bytes` bytes become a fill of a fresh tensor,
    which is then placed in the arena. A larger constant that
    is no splat stays, with a remark.

    Example: `arith.constant dense<0.0> : tensor<1024xf32>` becomes
    `linalg.fill` of `tensor.empty() : tensor<1024xf32>`.
  }];
  let options = [
    Option<"maxBytes", "max-bytes", "int64_t", /*default=*/"64",
           "Splat constants up to this size stay constants">,
    Option<"reportBytes", "report-bytes", "int64_t", /*default=*/"65536",
           "Constants above this size that stay are reported">
  ];
  let dependentDialects = ["linalg::LinalgDialect", "tensor::TensorDialect",
                           "arith::ArithDialect"];
}

def CodegenAlignWhileTensors : Pass<"codegen-align-while-tensors"> {
  let summary = "Give each tensor of a while loop one number everywhere";
  let description = [{
    One-shot bufferization takes a tensor that an `scf.while` carries to have one
    number among the initial values, the operands of the condition and of the
    yield, and the results. This pass reorders what a loop carries so: a result
    goes to where the initial value is that the first region updates to it, or to
    another of its type. A tensor that has no counterpart goes through the region
    that does not use it, from a `tensor.empty` if there is no initial value.

    Loops that are in order stay as they are.

    Example: `scf.condition(%c) %b, %a` of the arguments `%a` and `%b` becomes
    `scf.condition(%c) %a, %b`, and the results change places.
  }];
  let dependentDialects = ["tensor::TensorDialect"];
}

def CodegenYieldInPlace : Pass<"codegen-yield-in-place"> {
  let summary = "Write values that a loop yields into the loop-carried buffer";
  let description = [{
    One-shot bufferization rejects a loop that yields a tensor other than the
    loop-carried one updated in place. For each tensor that an `scf.for` or one
    of the regions of an `scf.while` yields this pass follows tied operands back
    to where its buffer comes from. If that is the loop-carried tensor itself,
    nothing changes: a wrapped value would be rejected. A tensor made in the body
    is materialised into the loop-carried one. A tensor of another origin (a
    loop-carried tensor in another position, or a tensor from outside) is copied
    first, a result of branches by those that have not made it.

    Example: `scf.yield %fresh` becomes

    ```mlir
    %m = bufferization.materialize_in_destination %fresh in %carried
    scf.yield %m
    ```
  }];
  let dependentDialects = ["bufferization::BufferizationDialect"];
}

def CodegenSinkOverwrites : Pass<"codegen-sink-overwrites"> {
  let summary = "Overwrite a tensor after its last reader";
  let description = [{
    An operation that takes the place of an operand costs a copy if the operand
    is read afterwards, and a loop that carries the operand is rejected by
    one-shot bufferization. This pass moves such an operation down, behind the
    last reader of what it overwrites, unless its own result is needed earlier
    or another operand of it is overwritten on the way.

    Example: in a reverse loop, `%dx = linalg.generic ins(%s) outs(%dy)` moves
    behind the gradients of weights that read `%dy`.
  }];
}

def CodegenCopyOverwritten : Pass<"codegen-copy-overwritten"> {
  let summary = "Copy what a loop reads behind where it overwrites it";
  let description = [{
    One-shot bufferization rejects a loop that updates a tensor that it carries
    and reads the old one later, or elsewhere in the same operation: through a
    view, or what a branch yields of it, too. This pass gives such readers a copy
    that is made where what they read is defined. Where nothing is read so late,
    nothing is copied.

    Example: with `%a` carried by the loop, in

    ```mlir
    %b = scf.if %c -> tensor<4xf32> { ... scf.yield %t } else { scf.yield %a }
    %n = linalg.add ins(%a, %b) outs(%a)
    scf.yield %n
    ```

    the sum reads a copy of `%b`.
  }];
  let dependentDialects = ["bufferization::BufferizationDialect"];
}

def CodegenPrivatizeDestinations : Pass<"codegen-privatize-destinations"> {
  let summary = "Give every destination operand a tensor of its own";
  let description = [{
    CSE merges equal `tensor.empty` and `linalg.fill` ops, and a tensor that two
    ops overwrite bufferizes to a copy. Each operand that is tied to a result
    (DPS inits, loop inits, operands of calls) and whose tensor is an empty
    tensor, a fill (outlined ones too), an `alloc_tensor` or a reshape of one, with
    another use or made outside the loop around its user, gets a clone right
    before its user. Nothing may run CSE or
    loop-invariant code motion between this pass and bufferization.
  }];
}

def CodegenSplitReads : Pass<"codegen-split-reads", "ModuleOp"> {
  let summary = "Hide readers of a tensor from each other";
  let description = [{
    For each operand, one-shot bufferization looks at all uses of the tensor: the
    square of the uses, for weights that a thousand layers share. In functions
    that are no kernels, this pass takes a tensor with more than `max-reads` uses,
    all of which are arguments that kernels only read, through
    `bufferization.to_buffer read_only`; each `max-reads` uses read a tensor of
    their own, by `bufferization.to_tensor restrict`, in its buffer.

    Only a tensor whose buffer nothing else can write is split: that of an
    argument or of a `tensor.empty`, through updates of tensors that have no other
    use. Tensors in loops are not split.

    Runs after codegen-privatize-destinations.

    Example: with `max-reads=2`,

    ```mlir
    %0 = call @f(%w, %e0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %1 = call @f(%w, %e1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %2 = call @f(%w, %e2) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```

    becomes

    ```mlir
    %m = bufferization.to_buffer %w read_only : tensor<4xf32> to memref<4xf32>
    %a = bufferization.to_tensor %m restrict : memref<4xf32> to tensor<4xf32>
    %b = bufferization.to_tensor %m restrict : memref<4xf32> to tensor<4xf32>
    %0 = call @f(%a, %e0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %1 = call @f(%a, %e1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %2 = call @f(%b, %e2) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let options = [
    Option<"maxReads", "max-reads", "int64_t", /*default=*/"16",
           "Uses that look at each other">
  ];
  let dependentDialects = ["bufferization::BufferizationDialect"];
}

def CodegenCutChains : Pass<"codegen-cut-chains", "ModuleOp"> {
  let summary = "Cut long chains of in-place updates";
  let description = [{
    The time of one-shot bufferization grows with about the third power of the
    number of values that share a buffer, which for the state of an inverted
    network is the number of its layers. In functions that are no kernels, this
    pass takes a tensor that has been updated in place `max-links` times through
    `bufferization.to_buffer` and `bufferization.to_tensor restrict writable`:
    from there on it is a new tensor for the analysis, while its buffer stays.

    Likewise, analysis relates each result of a function to each argument. Public
    functions that nothing calls return the buffers of their results instead.

    Runs after codegen-privatize-destinations: an older tensor of a chain may not
    be the destination of an operation that does not read it, for which analysis
    would not copy it. Tensors in a part of another tensor, and those in loops,
    are not cut.
  }];
  let options = [
    Option<"maxLinks", "max-links", "int64_t", /*default=*/"8",
           "Updates after which a chain is cut">
  ];
  let dependentDialects = ["bufferization::BufferizationDialect"];
}

def CodegenEliminateEmptyTensors
    : Pass<"codegen-eliminate-empty-tensors", "func::FuncOp"> {
  let summary = "Compute slices where they are inserted";
  let description = [{
    What is computed into a `tensor.empty` and then inserted into a tensor, or
    materialized in one, is computed there, as upstream's
    `eliminate-empty-tensors` has it. The analysis of one function by itself
    takes results of calls for read-only, and rejects a loop with a branch that
    yields either what the loop carries and overwrites or the result of a call,
    which bufferization accepts. Such a function stays as it is.

    Example: in

    ```mlir
    %e = tensor.empty() : tensor<4xf32>
    %f = linalg.fill ins(%x : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    %r = tensor.insert_slice %f into %t[2] [4] [1] : tensor<4xf32> into tensor<8xf32>
    ```

    the slice of `%t` takes the place of `%e`.
  }];
  let dependentDialects = ["bufferization::BufferizationDialect",
                           "tensor::TensorDialect"];
}

def CodegenInlineCalls : Pass<"codegen-inline-calls", "ModuleOp"> {
  let summary = "Inline private functions that are called seldom";
  let description = [{
    A private function that is no kernel, has one block and at most `max-calls`
    calls is inlined into its callers and erased. A derivative has hundreds of
    arguments and results, and one-shot bufferization relates each argument to
    each result at every call; inlined, it also shares the caller's plan of
    memory. Functions that call each other in a cycle are located errors.
  }];
  let options = [
    Option<"maxCalls", "max-calls", "int64_t", /*default=*/"4",
           "Calls of a function up to which it is inlined">
  ];
}

def CodegenResultsToDestinations
    : Pass<"codegen-results-to-destinations", "ModuleOp"> {
  let summary = "Turn buffer results of functions into arguments";
  let description = [{
    After bufferization a function may return buffers. Bottom-up over the call
    graph, each result becomes the argument that it is equal to, or a new argument
    in place of the allocation that is returned, or a new argument into which the
    returned buffer is copied; callers allocate. Scalars are still returned. A
    public function gets `memrev.result_parameters`, for each result the argument
    that holds it or -1, and `memrev.num_arguments`, the number of arguments that
    it had: codegen-wrap-entries wants both.

    Extents that the type of a result leaves open have to follow from those of
    the arguments; `memrev.extents` on the new argument is how. Other such
    extents, and recursive functions, are located errors.
  }];
  let dependentDialects = ["affine::AffineDialect", "func::FuncDialect",
                           "memref::MemRefDialect"];
}

def CodegenCarryOneBuffer : Pass<"codegen-carry-one-buffer"> {
  let summary = "Let loops carry one buffer for each state";
  let description = [{
    A buffer that an iteration of an `scf.for` allocates and yields would be at
    the same place in each iteration, so the next one would write over what it
    still reads. Here the iteration copies it into the buffer that the loop
    carries, and yields that one. Runs before codegen-wrap-entries, which copies
    the arguments that a program writes to for its callers.

    Example:
    ```mlir
    %r = scf.for %i = %a to %b step %c iter_args(%x = %init) -> (memref<4xf32>) {
      %y = memref.alloc() : memref<4xf32>
      call @f(%x, %y) : (memref<4xf32>, memref<4xf32>) -> ()
      scf.yield %y : memref<4xf32>
    }
    ```
    gets `memref.copy %y, %x` and `scf.yield %x`.
  }];
  let dependentDialects = ["memref::MemRefDialect"];
}

def CodegenOrderForMemory : Pass<"codegen-order-for-memory", "ModuleOp"> {
  let summary = "Order operations so that less memory lives at once";
  let description = [{
    Works on buffers, before they get their places. In each block, inner blocks
    first, operations are moved, within what they read and write, so that the most
    bytes that live at once become fewer: at the operation with the peak, the
    block is cut where the least lives (a minimum cut), and so on on both sides.
    Where that makes no peak lower, nothing moves. Where the peak is the least at
    its own operation, no order is better.

    Private functions take buffers that do not overlap. Operations whose effects
    are not known keep their places. Open extents are taken for 64. Buffers in
    parallel loops count as in codegen-plan-arena. Remarks say what the order of
    each block with a choice came to, and whether it is known to be the best one.

    Example: of
    ```mlir
    call @expand(%x, %a) : (memref<8xf32>, memref<4096xf32>) -> ()
    call @expand(%y, %b) : (memref<8xf32>, memref<4096xf32>) -> ()
    call @reduce(%a, %p) : (memref<4096xf32>, memref<8xf32>) -> ()
    call @reduce(%b, %q) : (memref<4096xf32>, memref<8xf32>) -> ()
    ```
    the first reduction moves before the second expansion, so that `%a` and `%b`
    do not live at once.
  }];
  let options = [
    Option<"maxStackBytes", "max-stack-bytes", "int64_t", /*default=*/"32768",
           "Largest total of buffers inside a parallel loop kept on the stack">,
    Option<"maxThreads", "max-threads", "int64_t", /*default=*/"1",
           "Threads that share a parallel loop whose buffers exceed the stack">
  ];
}

def CodegenPlanArena : Pass<"codegen-plan-arena", "ModuleOp"> {
  let summary = "Give every buffer an offset in one arena";
  let description = [{
    Bottom-up over the call graph, the allocations of a function are packed into
    one frame by first fit over their live ranges (largest buffer first, then in
    orders in which those choose first that did not fit below the others), and
    replaced by views of an argument that holds the frame. A caller provides the
    frame of its callee like any other buffer that lives during the call, so a
    function marked `memrev.entry` ends with one arena argument for everything
    that it and its callees use; `memrev.arena_bytes` gives its size.

    A live range spans all uses of a buffer and its aliasing views, lifted to the
    block that holds the allocation: a buffer that is allocated outside a loop and
    used in it lives for the whole loop. Offsets are multiples of 64 bytes.

    Allocations inside a parallel loop (the outermost `scf.forall` or
    `scf.parallel`) go to the stack when all of that loop together are at most
    `max-stack-bytes`; otherwise each of `max-threads` threads gets a slice of the
    arena, and the loop is marked with `memrev.max_threads`.

    Extents that a type leaves open have to follow from those of the function's
    arguments, or to have a constant bound. Such a buffer lies above those whose
    bytes are known, at an offset that is the largest of some polynomials of the
    arguments' extents, and so are the bytes of the frame. For an entry `f` with
    extents the public function `f_arena_bytes` computes them, -1 if sizes are
    negative or do not fit 64 bits, and -2 for arguments whose extents do not
    agree; `f_result_extents` stores the open extents of its results.

    Other extents are located errors, inside parallel loops all open ones, and so
    are recursive functions that allocate.

    The pass costs a sort and a quadratic packing per function.
  }];
  let options = [
    Option<"maxStackBytes", "max-stack-bytes", "int64_t", /*default=*/"32768",
           "Largest total of buffers inside a parallel loop kept on the stack">,
    Option<"maxThreads", "max-threads", "int64_t", /*default=*/"1",
           "Threads that share a parallel loop whose buffers exceed the stack">,
    Option<"staticOnly", "static-only", "bool", /*default=*/"false",
           "Whether open extents are errors">
  ];
  let dependentDialects = ["affine::AffineDialect", "arith::ArithDialect",
                           "func::FuncDialect",
                           "memref::MemRefDialect"];
}

def CodegenInlineOpenCalls : Pass<"codegen-inline-open-calls", "ModuleOp"> {
  let summary = "Inline functions that take buffers of open extents";
  let description = [{
    The functions of a binary take buffers by their addresses alone. A function
    with an argument whose type leaves extents open would need these, too; so it
    is inlined in its callers, from which they follow. Public functions take no
    such argument after codegen-wrap-entries.

    Example: `call @f.inplace(%x, %r) : (memref<?xf32>, memref<?xf32>) -> ()`
    becomes the body of `@f.inplace`.
  }];
}

def CodegenVerifyStage : Pass<"codegen-verify-stage", "ModuleOp"> {
  let summary = "Check the contract at the end of a stage";
  let description = [{
    The contracts, each with an error at the first operation that breaks it:

    - `input`, which is no stage, but what the first one needs: types are of
      less than 2^48 bytes. This holds up to the bufferize stage;
    - `differentiate`: no function transform of the `rev` dialect is left;
    - `lower`: no operation of the `rev` dialect is left;
    - `schedule`: as `lower`, and kernels contain no calls of public functions;
    - `bufferize`: no tensor, and no allocation in any function;
    - `binary`: only the LLVM dialect and `gpu.binary`, and nothing allocates.
  }];
  let options = [
    Option<"stage", "stage", "std::string", /*default=*/"\"\"",
           "The stage whose contract is checked">
  ];
}

def CodegenFlattenEmptyBuffers
    : Pass<"codegen-flatten-empty-buffers", "ModuleOp"> {
  let summary = "Hand buffers without elements over as one dimension";
  let description = [{
    The conversion of functions to LLVM silently leaves those alone that have a
    buffer whose strides are not known, as those of some buffers without
    elements are not. Here a function takes such a buffer as `memref<0x...>` and
    casts it to the shape that its body uses; calls cast theirs.
  }];
  let dependentDialects = ["arith::ArithDialect", "memref::MemRefDialect"];
}

include "memrev/Codegen/Common/FusePasses.td"

#endif // MEMREV_CODEGEN_COMMON_PASSES_TD
