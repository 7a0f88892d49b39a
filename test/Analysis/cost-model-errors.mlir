// RUN: memrev-opt %s -rev-differentiate -split-input-file -verify-diagnostics

// expected-error @below {{expects attribute 'rev.cost_model' to be a dictionary, but got 3 : i64}}
module attributes {rev.cost_model = 3 : i64} {}

// -----

// expected-error @below {{expects attribute 'rev.cost_model' to have a positive number 'f64_contraction_multiply_adds_per_ns' of type f64, but got {}}}
module attributes {rev.cost_model = {}} {}

// -----

// expected-error @below {{expects attribute 'rev.cost_model' to have a positive number 'f64_depthwise_multiply_adds_per_ns' of type f64, but got}}
module attributes {rev.cost_model = {
  f64_contraction_multiply_adds_per_ns = 1.0 : f64, f64_depthwise_multiply_adds_per_ns = 0.0 : f64}} {}
