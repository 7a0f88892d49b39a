// RUN: memrev-opt %s -verify-diagnostics -pass-pipeline='builtin.module(codegen-verify-stage{stage=binary})'

// A program that has a function of this name may call it.
llvm.func @aligned_alloc(%x: i64, %y: i64) {
  llvm.return
}

// expected-error @below {{expects programs to work in their arena, but got one that calls this}}
llvm.func @malloc(i64) -> !llvm.ptr
