//===- CallOrder.cpp - Functions of a module, callees first ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "memrev/Codegen/Common/CallOrder.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace mlir::memrev;

namespace {
/// A function whose calls are being visited, and the next of them.
struct Visit {
  func::FuncOp func;
  SmallVector<std::pair<func::CallOp, func::FuncOp>> calls;
  size_t next = 0;
};
} // namespace

FailureOr<CallOrder> CallOrder::compute(ModuleOp module) {
  CallOrder order;
  SymbolTable symbols(module);
  enum class State { Open, Done };
  DenseMap<Operation *, State> states;
  // The stack is explicit: a chain of calls has no bound on its length.
  SmallVector<Visit> stack;
  auto open = [&](func::FuncOp func) {
    Visit visit{func, {}, 0};
    func.walk([&](func::CallOp call) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      // A callee of another kind has no body to be ordered.
      if (!callee)
        return;
      order.callers[callee].push_back(call);
      visit.calls.emplace_back(call, callee);
    });
    states[func] = State::Open;
    stack.push_back(std::move(visit));
  };
  for (auto root : module.getOps<func::FuncOp>()) {
    if (states.contains(root))
      continue;
    open(root);
    while (!stack.empty()) {
      Visit &top = stack.back();
      if (top.next == top.calls.size()) {
        states[top.func] = State::Done;
        order.functions.push_back(top.func);
        stack.pop_back();
        continue;
      }
      auto [call, callee] = top.calls[top.next++];
      auto it = states.find(callee);
      if (it == states.end()) {
        open(callee);
      } else if (it->second == State::Open) {
        call.emitOpError("expects a callee that does not call its caller, but "
                         "the calls form a cycle");
        return failure();
      }
    }
  }
  return order;
}
