//===- ScalarRuleBase.td - What scalar rules are written in ---------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The vocabulary of ScalarRules.td. memrev-tblgen turns a rule into C++ that
// ScalarRules.h declares the context of.
//
//===----------------------------------------------------------------------===//

#ifndef MEMREV_LIB_EXTERNALINTERFACES_SCALARRULEBASE_TD
#define MEMREV_LIB_EXTERNALINTERFACES_SCALARRULEBASE_TD

/// What stands in front of the names of an operation's operands and results.
def Operands;
def Results;

//===----------------------------------------------------------------------===//
// Terms
//===----------------------------------------------------------------------===//

/// A float of the type of $dy: a C++ expression.
class F<string cppValue> {
  string value = cppValue;
}

/// What a term computes: a C++ expression of the arguments, where $point is the
/// ScalarPoint and $args are the values of the arguments.
class Operator<string cppExpression> {
  string expression = cppExpression;
  // True if a factor that is infinite makes the result undefined where another
  // argument is zero.
  bit multiplies = 0;
}

/// A term that is an operation.
class Op<string cppClass> : Operator<cppClass # "::create($point.builder, $args)">;

/// A term that is a method of ScalarPoint.
class Method<string name> : Operator<"$point." # name # "($args)">;

/// A term that compares floats.
class Compare<string predicate>
    : Operator<"arith::CmpFOp::create($point.builder, arith::CmpFPredicate::"
               # predicate # ", $args)">;

/// The only argument as it is.
def Id : Operator<"$args">;
/// No partial derivative: the result does not depend on the operand, or by
/// jumps only.
def None : Operator<"">;
/// (IfActive $operand, then, else): a choice between two whole contributions,
/// made when the derivative is emitted.
def IfActive : Operator<"">;

def Add : Op<"arith::AddFOp">;
def Sub : Op<"arith::SubFOp">;
def Neg : Op<"arith::NegFOp">;
let multiplies = 1 in {
  def Mul : Op<"arith::MulFOp">;
  def Div : Op<"arith::DivFOp">;
}
def Select : Op<"arith::SelectOp">;
def And : Op<"arith::AndIOp">;
def Or : Op<"arith::OrIOp">;

def Equal : Compare<"OEQ">;
def Greater : Compare<"OGT">;
def GreaterOrEqual : Compare<"OGE">;
def Less : Compare<"OLT">;
def LessOrEqual : Compare<"OLE">;
def Ordered : Compare<"ORD">;
/// Not comparable counts as greater, or as less.
def GreaterOrNaN : Compare<"UGT">;
def LessOrNaN : Compare<"ULT">;

def Abs : Op<"math::AbsFOp">;
def Asinh : Op<"math::AsinhOp">;
def Atanh : Op<"math::AtanhOp">;
def Cos : Op<"math::CosOp">;
def Cosh : Op<"math::CoshOp">;
def CopySign : Op<"math::CopySignOp">;
def Exp : Op<"math::ExpOp">;
def Exp2 : Op<"math::Exp2Op">;
def ExpM1 : Op<"math::ExpM1Op">;
def Fma : Op<"math::FmaOp">;
def FPowI : Op<"math::FPowIOp">;
def Log : Op<"math::LogOp">;
def Log1p : Op<"math::Log1pOp">;
def Log2 : Op<"math::Log2Op">;
def PowF : Op<"math::PowFOp">;
def RoundEven : Op<"math::RoundEvenOp">;
def Sin : Op<"math::SinOp">;
def Sinh : Op<"math::SinhOp">;
def Sqrt : Op<"math::SqrtOp">;
def Tan : Op<"math::TanOp">;
def Tanh : Op<"math::TanhOp">;

/// The argument in the float type of what gets the contribution.
def Convert : Method<"convert">;
/// An integer as a float of the type of $dy.
def ToFloat : Method<"toFloat">;
/// n - 1 for a power that is differentiated; 0 of 0.
def LowerPower : Method<"lowerPower">;

//===----------------------------------------------------------------------===//
// How well inverses give their operands back
//===----------------------------------------------------------------------===//

/// But for the rounding of the values at hand: InverseKind::Exact.
def Rounds;
/// Loses digits, or numbers that the operation took out of its range, without
/// a bound: InverseKind::Conditioned.
def Unbounded;
/// Loses digits; makes an error larger by at most a C++ expression of the
/// magnitude `other` of another operand, which must not be zero. Infinite if
/// there is no bound.
class Gain<string cppExpression> {
  string expression = cppExpression;
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

class ScalarOp<string opDialect, string cppClass> {
  string dialect = opDialect;
  string opClass = cppClass;
}

/// The derivative of an elementwise operation, for both modes.
///
/// `partials` has a contribution for each operand and result, the operands of
/// the first result first. $dy is the cotangent of the result in reverse mode,
/// where the contribution adds to the cotangent of the operand, and the tangent
/// of the operand in forward mode, where it adds to the tangent of the result:
/// a contribution is a partial derivative times $dy in both. What else it names
/// are primal operands and results, which the rule declares as what it reads.
class ScalarRule<string dialect, string cppClass, dag operands,
                 dag results = (Results $y)> : ScalarOp<dialect, cppClass> {
  dag operandNames = operands;
  dag resultNames = results;
  list<dag> partials = [];
  // True if a contribution jumps where what it reads has ties on a set of
  // positive measure (the zeros that a relu made): a value that is had back
  // with rounding will not do.
  bit exact = 0;
  // True if the result is one of the operands, and those that it is not have no
  // contribution: then the result may stand for the operand that is
  // differentiated, if that is the only one.
  bit selects = 0;
  // Each operand in terms of the result and the other operands, or (None).
  // Empty if no operand has an inverse.
  list<dag> inverses = [];
  // How well each inverse gives its operand back: (Rounds), (Unbounded) or
  // (Gain<...> $other). Empty if all round.
  list<dag> gains = [];
}

/// An operation whose results have a zero derivative, or none at all.
class InactiveOp<string dialect, string cppClass> : ScalarOp<dialect, cppClass>;

#endif // MEMREV_LIB_EXTERNALINTERFACES_SCALARRULEBASE_TD
