# Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The memory report as a page, opened in a browser."""

import html.parser
import subprocess

import numpy as np
import pytest

import memrev
from memrev import models, nn

BROWSER = "chromium-headless-shell"


class Page(html.parser.HTMLParser):
    """What a browser shows: rectangles of buffers, points of curves, and texts by their
    elements."""

    def __init__(self, text):
        super().__init__()
        self.buffers, self.points, self.texts, self._open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._open.append(tag)
        if tag == "rect":
            self.buffers.append(dict(attrs))
        if tag == "circle":
            self.points.append(dict(attrs))

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if "script" not in self._open and "style" not in self._open:
            self.texts.append((self._open[-1] if self._open else "", data.strip()))

    def texts_in(self, tag):
        return [text for found, text in self.texts if found == tag]


def open_page(path):
    """The page's elements once its script has run, and what the browser says."""
    shown = subprocess.run(
        [BROWSER, "--no-sandbox", "--headless", "--disable-gpu", "--dump-dom",
         "--enable-logging=stderr", "--v=0", path.as_uri()],
        capture_output=True, text=True, timeout=60, check=True)
    errors = [line for line in shown.stderr.splitlines() if "CONSOLE" in line]
    return Page(shown.stdout), errors


@pytest.fixture(scope="module")
def gradient():
    model = models.RevNet(models.resnet.Basic, (2, 2), (8, 16), 5)
    variables = model.init(0)
    images = np.zeros((2, 16, 16, 3), np.float32)
    labels = np.zeros(2, np.int32)

    def loss(params):
        logits, _ = model.apply(params, variables["state"], images, train=True)
        return nn.cross_entropy(logits, labels).mean()

    return memrev.jit(memrev.grad(loss)), variables["params"]


def test_every_buffer_is_drawn_where_it_is(gradient, tmp_path):
    function, params = gradient
    path = tmp_path / "memory.html"
    path.write_text(function.memory_page(params))
    report = function.memory_report(params)
    page, errors = open_page(path)
    assert errors == []
    assert len(page.buffers) == len(report["buffers"]) > 20
    # From left to right the part of a call in which anything is in use, from bottom to top the
    # workspace, in a frame of 1000 by 400. Nothing is thinner than can be seen.
    first = min(buffer["begin"] for buffer in report["buffers"])
    last = max(buffer["end"] for buffer in report["buffers"])
    for box, buffer in zip(page.buffers, report["buffers"]):
        part = {end: (buffer[end] - first) / (last - first) for end in ("begin", "end")}
        share = buffer["bytes"] / report["workspace_bytes"]
        top = 1 - buffer["offset"] / report["workspace_bytes"] - share
        for name, expected in (("x", 72 + 1000 * part["begin"]), ("y", 14 + 400 * top),
                               ("width", max(.5, 1000 * (part["end"] - part["begin"]))),
                               ("height", max(.5, 400 * share))):
            assert abs(float(box[name]) - expected) < 1e-6, name


def test_numbers_are_those_of_the_report(gradient, tmp_path):
    function, params = gradient
    path = tmp_path / "memory.html"
    path.write_text(function.memory_page(params))
    report = function.memory_report(params)
    page, _ = open_page(path)
    tiles = page.texts_in("b")
    assert tiles[0] == show(report["peak_bytes"])
    assert tiles[1] == show(report["workspace_bytes"])
    used = sum(buffer["bytes"] for buffer in report["at_peak"])
    assert f"peak: {show(used)} of {show(report['workspace_bytes'])}" in page.texts_in("text")
    # How the values of the backward pass are had.
    for how in {value["strategy"] for value in report["values"]}:
        total = sum(v["bytes"] for v in report["values"] if v["strategy"] == how)
        assert any(text.startswith(f"{how}: {show(total)} (")
                   for text in page.texts_in("span")), how


def test_curve_is_drawn_with_this_program(gradient, tmp_path):
    function, params = gradient
    text = function.mlir(params)
    fewest = function.memory_report(params)["peak_bytes"]
    module = memrev.compile(text, memory_curve=5, memory_budget=int(1.05 * fewest))
    path = tmp_path / "memory.html"
    path.write_text(module.memory_page())
    report = module.memory_report()[0]
    page, errors = open_page(path)
    assert errors == []
    plans = [point for point in page.points if point["class"] == "plan"]
    this, = (point for point in page.points if point["class"] == "this")
    assert len(plans) == len(report["curve"]) > 2
    # Bytes go from left to right, time from bottom to top, both in proportion.
    first, last = report["curve"][0], report["curve"][-1]
    for point, plan in zip([*plans, this], [*report["curve"], report]):
        for place, key in (("cx", "peak_bytes"), ("cy", "time_ns")):
            part = (plan[key] - first[key]) / (last[key] - first[key])
            ends = float(plans[0][place]), float(plans[-1][place])
            assert abs(float(point[place]) - (ends[0] + part * (ends[1] - ends[0]))) < 1e-6
    assert float(plans[0]["cx"]) < float(plans[-1]["cx"])
    assert float(plans[0]["cy"]) < float(plans[-1]["cy"])
    units = {text.rsplit(" ", 1)[-1] for text in page.texts_in("text")}
    assert {"ms", "MiB"} <= units
    assert any(text.startswith(f"this program: {show(report['peak_bytes'])}, ")
               for text in page.texts_in("span"))


def test_no_time_is_said_without_rates(gradient, tmp_path):
    function, params = gradient
    path = tmp_path / "memory.html"
    shown = {}
    for target, options in (("cpu", {}), ("cuda", {"chip": "sm_90"})):
        module = memrev.compile(function.mlir(params), target, until="bufferize", **options)
        path.write_text(module.memory_page())
        page, errors = open_page(path)
        assert errors == []
        assert not any("NaN" in text for _, text in page.texts)
        shown[target] = [text for text in page.texts_in("td") if text.endswith(("µs", "ns"))]
    assert shown["cpu"] and not shown["cuda"]


def test_a_program_with_one_plan_says_so(tmp_path):
    text = """
    func.func @f(%x: tensor<64xf32>) -> tensor<64xf32> {
      %y = math.exp %x : tensor<64xf32>
      return %y : tensor<64xf32>
    }"""
    path = tmp_path / "memory.html"
    path.write_text(memrev.compile(text, memory_curve=2).memory_page())
    page, errors = open_page(path)
    assert errors == [] and page.points == []
    assert any("No other plan takes fewer bytes or less time" in text
               for text in page.texts_in("div"))


def show(size):
    """Bytes as the page writes them."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024 or unit == "MiB":
            break
        size /= 1024
    return f"{size} {unit}" if unit == "bytes" else f"{size:.{2 if size < 10 else 1}f} {unit}"


def test_buffers_that_overlap_in_time_do_not_in_place(gradient):
    function, params = gradient
    buffers = function.memory_report(params)["buffers"]
    for i, a in enumerate(buffers):
        for b in buffers[:i]:
            together = a["begin"] < b["end"] and b["begin"] < a["end"]
            apart = (a["offset"] + a["bytes"] <= b["offset"]
                     or b["offset"] + b["bytes"] <= a["offset"])
            assert apart or not together, (a, b)


def test_program_is_no_markup(tmp_path):
    text = """
    func.func @f(%x: tensor<64x64xf32>) -> tensor<64x64xf32> {
      %zero = arith.constant 0.0 : f32
      %empty = tensor.empty() : tensor<64x64xf32>
      %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
      %a = linalg.matmul ins(%x, %x : tensor<64x64xf32>, tensor<64x64xf32>)
          outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
          loc("</script><b>bold</b>&amp;.mlir":1:1)
      %b = linalg.matmul ins(%a, %x : tensor<64x64xf32>, tensor<64x64xf32>)
          outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
      return %b : tensor<64x64xf32>
    }"""
    path = tmp_path / "memory.html"
    path.write_text(memrev.compile(text).memory_page())
    page, errors = open_page(path)
    assert errors == []
    assert "bold" not in page.texts_in("b")
    assert "</script><b>bold</b>&amp;.mlir:1:1" in page.texts_in("code")
