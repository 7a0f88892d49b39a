// RUN: memrev-opt %s --split-input-file --codegen-order-for-memory | FileCheck %s
// RUN: memrev-opt %s --split-input-file --codegen-order-for-memory -o /dev/null --remarks-filter=codegen-order-for-memory --remark-policy=all 2>&1 | FileCheck %s --check-prefix=REMARK

// Two buffers that are large live one after the other.

func.func private @expand(%x: memref<8xf32>, %y: memref<4096xf32>) {
  %zero = arith.constant 0 : index
  %value = memref.load %x[%zero] : memref<8xf32>
  linalg.fill ins(%value : f32) outs(%y : memref<4096xf32>)
  return
}

func.func private @reduce(%x: memref<4096xf32>, %y: memref<8xf32>) {
  %zero = arith.constant 0 : index
  %value = memref.load %x[%zero] : memref<4096xf32>
  linalg.fill ins(%value : f32) outs(%y : memref<8xf32>)
  return
}

// REMARK: 4 steps take 16384 bytes at once, 32768 in the order that was given; no order takes fewer
// CHECK-LABEL: func.func private @two_branches
// CHECK-SAME:    %[[X:.*]]: memref<8xf32>, %[[Y:.*]]: memref<8xf32>, %[[P:.*]]: memref<8xf32>, %[[Q:.*]]: memref<8xf32>
func.func private @two_branches(%x: memref<8xf32>, %y: memref<8xf32>,
                                %p: memref<8xf32>, %q: memref<8xf32>) {
  // CHECK: %[[A:.*]] = memref.alloc()
  // CHECK: call @expand(%[[X]], %[[A]])
  // CHECK: call @reduce(%[[A]], %[[P]])
  // CHECK: %[[B:.*]] = memref.alloc()
  // CHECK: call @expand(%[[Y]], %[[B]])
  // CHECK: call @reduce(%[[B]], %[[Q]])
  %a = memref.alloc() : memref<4096xf32>
  %b = memref.alloc() : memref<4096xf32>
  call @expand(%x, %a) : (memref<8xf32>, memref<4096xf32>) -> ()
  call @expand(%y, %b) : (memref<8xf32>, memref<4096xf32>) -> ()
  call @reduce(%a, %p) : (memref<4096xf32>, memref<8xf32>) -> ()
  call @reduce(%b, %q) : (memref<4096xf32>, memref<8xf32>) -> ()
  return
}

// The expansions read what both reductions write over: nothing may pass.

// REMARK: 4 steps take 32768 bytes at once; no order takes fewer
// CHECK-LABEL: func.func private @overwritten
// CHECK:         call @expand
// CHECK-NEXT:    call @expand
// CHECK-NEXT:    call @reduce
// CHECK-NEXT:    call @reduce
func.func private @overwritten(%x: memref<8xf32>) {
  %a = memref.alloc() : memref<4096xf32>
  %b = memref.alloc() : memref<4096xf32>
  call @expand(%x, %a) : (memref<8xf32>, memref<4096xf32>) -> ()
  call @expand(%x, %b) : (memref<8xf32>, memref<4096xf32>) -> ()
  call @reduce(%a, %x) : (memref<4096xf32>, memref<8xf32>) -> ()
  call @reduce(%b, %x) : (memref<4096xf32>, memref<8xf32>) -> ()
  return
}

// The same through a view of the buffer.

// CHECK-LABEL: func.func private @overwritten_view
// CHECK:         call @expand
// CHECK:         call @expand
// CHECK:         call @reduce
// CHECK:         call @reduce
func.func private @overwritten_view(%x: memref<16xf32>) {
  %part = memref.subview %x[0] [8] [1]
      : memref<16xf32> to memref<8xf32, strided<[1]>>
  %left = memref.cast %part
      : memref<8xf32, strided<[1]>> to memref<8xf32>
  %a = memref.alloc() : memref<4096xf32>
  %b = memref.alloc() : memref<4096xf32>
  call @expand(%left, %a) : (memref<8xf32>, memref<4096xf32>) -> ()
  call @expand(%left, %b) : (memref<8xf32>, memref<4096xf32>) -> ()
  %again = memref.cast %part
      : memref<8xf32, strided<[1]>> to memref<8xf32>
  call @reduce(%a, %again) : (memref<4096xf32>, memref<8xf32>) -> ()
  call @reduce(%b, %again) : (memref<4096xf32>, memref<8xf32>) -> ()
  return
}

// Arguments of a public function may be the same buffer: a result that replaces
// a donated argument.

// CHECK-LABEL: func.func @entry
// CHECK:         call @expand
// CHECK-NEXT:    call @expand
// CHECK-NEXT:    call @reduce
// CHECK-NEXT:    call @reduce
func.func @entry(%x: memref<8xf32>, %y: memref<8xf32>, %p: memref<8xf32>,
                 %q: memref<8xf32>) {
  %a = memref.alloc() : memref<4096xf32>
  %b = memref.alloc() : memref<4096xf32>
  call @expand(%x, %a) : (memref<8xf32>, memref<4096xf32>) -> ()
  call @expand(%y, %b) : (memref<8xf32>, memref<4096xf32>) -> ()
  call @reduce(%a, %p) : (memref<4096xf32>, memref<8xf32>) -> ()
  call @reduce(%b, %q) : (memref<4096xf32>, memref<8xf32>) -> ()
  return
}

// What is done in a function that is not here nobody knows.

func.func private @unknown(%x: memref<8xf32>)

// CHECK-LABEL: func.func private @around_unknown
// CHECK:         call @expand
// CHECK-NEXT:    call @expand
// CHECK-NEXT:    call @unknown
// CHECK-NEXT:    call @reduce
// CHECK-NEXT:    call @reduce
func.func private @around_unknown(%x: memref<8xf32>, %y: memref<8xf32>,
                                  %p: memref<8xf32>, %q: memref<8xf32>,
                                  %other: memref<8xf32>) {
  %a = memref.alloc() : memref<4096xf32>
  %b = memref.alloc() : memref<4096xf32>
  call @expand(%x, %a) : (memref<8xf32>, memref<4096xf32>) -> ()
  call @expand(%y, %b) : (memref<8xf32>, memref<4096xf32>) -> ()
  call @unknown(%other) : (memref<8xf32>) -> ()
  call @reduce(%a, %p) : (memref<4096xf32>, memref<8xf32>) -> ()
  call @reduce(%b, %q) : (memref<4096xf32>, memref<8xf32>) -> ()
  return
}

// In the body of a loop, with a value that is read between.

// CHECK-LABEL: func.func private @loop
// CHECK:         scf.for
// CHECK:           %[[A:.*]] = memref.alloc()
// CHECK:           call @expand(%{{.*}}, %[[A]])
// CHECK:           call @reduce(%[[A]], %[[P:[^ ]*]])
// CHECK:           %[[B:.*]] = memref.alloc()
// CHECK:           call @expand(%{{.*}}, %[[B]])
// CHECK:           %[[VALUE:.*]] = memref.load %[[P]]
// CHECK:           %[[SUM:.*]] = arith.addf %[[VALUE]]
// CHECK:           memref.store %[[SUM]], %[[B]]
// CHECK:           call @reduce(%[[B]],
func.func private @loop(%x: memref<8xf32>, %p: memref<8xf32>,
                        %q: memref<8xf32>) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %end = arith.constant 4 : index
  scf.for %i = %zero to %end step %one {
    %a = memref.alloc() : memref<4096xf32>
    %b = memref.alloc() : memref<4096xf32>
    func.call @expand(%x, %a) : (memref<8xf32>, memref<4096xf32>) -> ()
    func.call @expand(%x, %b) : (memref<8xf32>, memref<4096xf32>) -> ()
    func.call @reduce(%a, %p) : (memref<4096xf32>, memref<8xf32>) -> ()
    %value = memref.load %p[%zero] : memref<8xf32>
    %sum = arith.addf %value, %value : f32
    memref.store %sum, %b[%zero] : memref<4096xf32>
    func.call @reduce(%b, %q) : (memref<4096xf32>, memref<8xf32>) -> ()
  }
  return
}

// -----

// A callee's buffers count while it is called: nothing else lives then.

func.func private @large(%y: memref<8xf32>) {
  %zero = arith.constant 0 : index
  %float = arith.constant 0.0 : f32
  %a = memref.alloc() : memref<65536xf32>
  linalg.fill ins(%float : f32) outs(%a : memref<65536xf32>)
  %value = memref.load %a[%zero] : memref<65536xf32>
  memref.store %value, %y[%zero] : memref<8xf32>
  return
}

// CHECK-LABEL: func.func private @callee
// CHECK:         linalg.fill
// CHECK-NOT:     call @large
// CHECK:         memref.load
// CHECK:         call @large
func.func private @callee(%x: memref<8xf32>, %y: memref<8xf32>) {
  %zero = arith.constant 0 : index
  %float = arith.constant 0.0 : f32
  %a = memref.alloc() : memref<4096xf32>
  linalg.fill ins(%float : f32) outs(%a : memref<4096xf32>)
  call @large(%y) : (memref<8xf32>) -> ()
  %value = memref.load %a[%zero] : memref<4096xf32>
  memref.store %value, %x[%zero] : memref<8xf32>
  return
}

// -----

// Of open extents an order is found as well.

// CHECK-LABEL: func.func private @open
// CHECK:         %[[A:.*]] = memref.alloc(%{{.*}})
// CHECK:         linalg.fill ins(%{{.*}}) outs(%[[A]]
// CHECK-NOT:     linalg.fill
// CHECK:         memref.load %[[A]]
// CHECK:         linalg.fill
func.func private @open(%n: index, %x: memref<8xf32>, %y: memref<8xf32>) {
  %zero = arith.constant 0 : index
  %float = arith.constant 0.0 : f32
  %a = memref.alloc(%n) : memref<?x32xf32>
  %b = memref.alloc(%n) : memref<?x32xf32>
  linalg.fill ins(%float : f32) outs(%a : memref<?x32xf32>)
  linalg.fill ins(%float : f32) outs(%b : memref<?x32xf32>)
  %left = memref.load %a[%zero, %zero] : memref<?x32xf32>
  memref.store %left, %x[%zero] : memref<8xf32>
  %right = memref.load %b[%zero, %zero] : memref<?x32xf32>
  memref.store %right, %y[%zero] : memref<8xf32>
  return
}

// -----

// Kernels that are declarations say what they do with their arguments.

func.func private @expand(memref<8xf32> {bufferization.access = "read"},
                          memref<4096xf32> {bufferization.access = "write"})
    attributes {memrev.kernel}
func.func private @reduce(memref<4096xf32> {bufferization.access = "read"},
                          memref<8xf32> {bufferization.access = "write"})
    attributes {memrev.kernel}

// CHECK-LABEL: func.func private @declared
// CHECK:         call @expand
// CHECK-NEXT:    call @reduce
// CHECK:         call @expand
// CHECK-NEXT:    call @reduce
func.func private @declared(%x: memref<8xf32>, %p: memref<8xf32>,
                            %q: memref<8xf32>) {
  %a = memref.alloc() : memref<4096xf32>
  %b = memref.alloc() : memref<4096xf32>
  call @expand(%x, %a) : (memref<8xf32>, memref<4096xf32>) -> ()
  call @expand(%x, %b) : (memref<8xf32>, memref<4096xf32>) -> ()
  call @reduce(%a, %p) : (memref<4096xf32>, memref<8xf32>) -> ()
  call @reduce(%b, %q) : (memref<4096xf32>, memref<8xf32>) -> ()
  return
}
