//===- onednn_peer.cpp - oneDNN convolutions behind a C interface ---------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Built by run.py against Debian's libdnnl-dev. `blocked` lets oneDNN choose
// every layout, so that its reorders are not in the measured time.
//
//===----------------------------------------------------------------------===//

#include "dnnl.hpp"
#include <unordered_map>

using namespace dnnl;

namespace {
struct Peer {
  engine cpu{engine::kind::cpu, 0};
  stream queue{cpu};
  primitive run;
  std::unordered_map<int, memory> arguments;
};
} // namespace

extern "C" void *peer_create(int kind, int blocked, long n, long h, long w,
                             long c, long f, long k, long stride, long padding,
                             long oh, long ow) {
  auto *peer = new Peer;
  using tag = memory::format_tag;
  tag layout = blocked ? tag::any : tag::nhwc;
  auto f32 = memory::data_type::f32;
  memory::desc x({n, c, h, w}, f32, layout);
  memory::desc weights({f, c, k, k}, f32, tag::any);
  memory::desc y({n, f, oh, ow}, f32, layout);
  memory::dims strides = {stride, stride}, pads = {padding, padding};
  auto algorithm = algorithm::convolution_direct;
  convolution_forward::primitive_desc forward({prop_kind::forward_training,
                                               algorithm, x, weights, y,
                                               strides, pads, pads},
                                              peer->cpu);
  auto add = [&](int name, const memory::desc &desc) {
    memory argument(desc, peer->cpu);
    float *data = static_cast<float *>(argument.get_data_handle());
    for (size_t i = 0; i < desc.get_size() / sizeof(float); ++i)
      data[i] = static_cast<float>(i % 13) * 0.01f;
    peer->arguments.emplace(name, argument);
  };
  if (kind == 0) {
    peer->run = convolution_forward(forward);
    add(DNNL_ARG_SRC, forward.src_desc());
    add(DNNL_ARG_WEIGHTS, forward.weights_desc());
    add(DNNL_ARG_DST, forward.dst_desc());
  } else if (kind == 1) {
    convolution_backward_data::primitive_desc desc(
        {algorithm, x, weights, y, strides, pads, pads}, peer->cpu, forward);
    peer->run = convolution_backward_data(desc);
    add(DNNL_ARG_DIFF_SRC, desc.diff_src_desc());
    add(DNNL_ARG_WEIGHTS, desc.weights_desc());
    add(DNNL_ARG_DIFF_DST, desc.diff_dst_desc());
  } else {
    convolution_backward_weights::primitive_desc desc(
        {algorithm, x, weights, y, strides, pads, pads}, peer->cpu, forward);
    peer->run = convolution_backward_weights(desc);
    add(DNNL_ARG_SRC, desc.src_desc());
    add(DNNL_ARG_DIFF_WEIGHTS, desc.diff_weights_desc());
    add(DNNL_ARG_DIFF_DST, desc.diff_dst_desc());
  }
  return peer;
}

extern "C" void peer_run(void *handle) {
  auto *peer = static_cast<Peer *>(handle);
  peer->run.execute(peer->queue, peer->arguments);
  peer->queue.wait();
}

extern "C" void peer_destroy(void *handle) {
  delete static_cast<Peer *>(handle);
}
