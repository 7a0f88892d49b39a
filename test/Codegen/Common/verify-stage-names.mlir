// RUN: not memrev-opt %s -pass-pipeline='builtin.module(codegen-verify-stage{stage=dawn})' 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not memrev-opt %s -pass-pipeline='builtin.module(codegen-verify-stage{stage=binary})' 2>&1 | FileCheck %s --check-prefix=BINARY
// RUN: not memrev-opt %s -pass-pipeline='builtin.module(codegen-verify-stage{stage=schedule})' 2>&1 | FileCheck %s --check-prefix=SCHEDULE
// RUN: not memrev-opt %S/Inputs/rev.mlir -pass-pipeline='builtin.module(codegen-verify-stage{stage=differentiate})' 2>&1 | FileCheck %s --check-prefix=DIFFERENTIATE
// RUN: not memrev-opt %S/Inputs/rev.mlir -pass-pipeline='builtin.module(codegen-verify-stage{stage=lower})' 2>&1 | FileCheck %s --check-prefix=LOWER

// NAME: error: expects a stage input, differentiate, lower, schedule, bufferize or binary, but got 'dawn'
// BINARY: error: 'func.return' op expects only LLVM and device binaries after the binary stage
// SCHEDULE: error: 'func.func' op expects a kernel to be private
// DIFFERENTIATE: error: 'rev.vjp' op expects to be expanded by the differentiate stage, but is still there
// LOWER: error: 'rev.vjp' op expects to be lowered by the lower stage, but is still there
func.func @f() attributes {memrev.kernel} {
  return
}
