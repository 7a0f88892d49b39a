; Shuffles, votes and reductions of the lanes of a warp.
; RUN: memrev-simt %s shuffles i32:32 i32:32 i32:32 i32:32 --block=32 | FileCheck %s --check-prefix=SHUFFLES
; RUN: memrev-simt %s segments i32:32 i32:32 --block=32 | FileCheck %s --check-prefix=SEGMENTS
; RUN: memrev-simt %s votes i32:32 i32:32 i32:32 i32:32 --block=32 | FileCheck %s --check-prefix=VOTES
; RUN: memrev-simt %s some_lanes f32:32 --block=64 | FileCheck %s --check-prefix=SOME
; RUN: not memrev-simt %s missing_lane i32:32 --block=32 2>&1 | FileCheck %s --check-prefix=MISSING
; RUN: not memrev-simt %s ended_lane i32:32 --block=32 2>&1 | FileCheck %s --check-prefix=ENDED
; RUN: not memrev-simt %s wrong_mask i32:32 --block=32 2>&1 | FileCheck %s --check-prefix=MASK
; RUN: not memrev-simt %s inactive_lane i32:32 --block=32 2>&1 | FileCheck %s --check-prefix=INACTIVE
; RUN: not memrev-simt %s shuffles i32:32 i32:32 i32:32 i32:32 --block=16 2>&1 | FileCheck %s --check-prefix=SMALL

target triple = "nvptx64-nvidia-cuda"

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.laneid()
declare i32 @llvm.nvvm.shfl.sync.idx.i32(i32, i32, i32, i32)
declare i32 @llvm.nvvm.shfl.sync.up.i32(i32, i32, i32, i32)
declare i32 @llvm.nvvm.shfl.sync.down.i32(i32, i32, i32, i32)
declare float @llvm.nvvm.shfl.sync.down.f32(i32, float, i32, i32)
declare { i32, i1 } @llvm.nvvm.shfl.sync.down.i32p(i32, i32, i32, i32)
declare i32 @llvm.nvvm.shfl.sync.bfly.i32(i32, i32, i32, i32)
declare i32 @llvm.nvvm.vote.ballot.sync(i32, i1)
declare i1 @llvm.nvvm.vote.all.sync(i32, i1)
declare i32 @llvm.nvvm.redux.sync.add(i32, i32)
declare i32 @llvm.nvvm.redux.sync.min(i32, i32)
declare i32 @llvm.nvvm.match.any.sync.i32(i32, i32)
declare { i32, i1 } @llvm.nvvm.elect.sync(i32)

; SHUFFLES: 0: 5 5 5
; SHUFFLES: 1: 0 1 0 1 2 3 {{.*}} 28 29{{$}}
; SHUFFLES: 2: 3 4 {{.*}} 31 29 30 31{{$}}
; SHUFFLES: 3: 1 0 3 2 {{.*}} 31 30{{$}}
define ptx_kernel void @shuffles(ptr %a, ptr %b, ptr %c, ptr %d) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %idx = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 -1, i32 %t, i32 5, i32 31)
  %up = call i32 @llvm.nvvm.shfl.sync.up.i32(i32 -1, i32 %t, i32 2, i32 0)
  %down = call i32 @llvm.nvvm.shfl.sync.down.i32(i32 -1, i32 %t, i32 3, i32 31)
  %bfly = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %t, i32 1, i32 31)
  %pa = getelementptr i32, ptr %a, i32 %t
  %pb = getelementptr i32, ptr %b, i32 %t
  %pc = getelementptr i32, ptr %c, i32 %t
  %pd = getelementptr i32, ptr %d, i32 %t
  store i32 %idx, ptr %pa
  store i32 %up, ptr %pb
  store i32 %down, ptr %pc
  store i32 %bfly, ptr %pd
  ret void
}

; Segments of eight lanes: the clamp is 31, the mask of segments 24.
; SEGMENTS: 0: 1 2 3 4 5 6 7 7 9 10 11 12 13 14 15 15
; SEGMENTS: 1: 1 1 1 1 1 1 1 0 1 1 1 1 1 1 1 0
define ptx_kernel void @segments(ptr %a, ptr %b) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %both = call { i32, i1 } @llvm.nvvm.shfl.sync.down.i32p(i32 -1, i32 %t, i32 1, i32 6175)
  %value = extractvalue { i32, i1 } %both, 0
  %bit = extractvalue { i32, i1 } %both, 1
  %valid = zext i1 %bit to i32
  %pa = getelementptr i32, ptr %a, i32 %t
  %pb = getelementptr i32, ptr %b, i32 %t
  store i32 %value, ptr %pa
  store i32 %valid, ptr %pb
  ret void
}

; VOTES: 0: 7 7 7
; VOTES: 1: 496 496
; VOTES: 2: -3 -3
; VOTES: 3: 65537 131074 262148
define ptx_kernel void @votes(ptr %a, ptr %b, ptr %c, ptr %d) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  %p = icmp ult i32 %t, 3
  %ballot = call i32 @llvm.nvvm.vote.ballot.sync(i32 -1, i1 %p)
  %sum = call i32 @llvm.nvvm.redux.sync.add(i32 %t, i32 -1)
  %shifted = sub i32 %t, 3
  %min = call i32 @llvm.nvvm.redux.sync.min(i32 %shifted, i32 -1)
  %half = and i32 %t, 15
  %match = call i32 @llvm.nvvm.match.any.sync.i32(i32 -1, i32 %half)
  %pa = getelementptr i32, ptr %a, i32 %t
  %pb = getelementptr i32, ptr %b, i32 %t
  %pc = getelementptr i32, ptr %c, i32 %t
  %pd = getelementptr i32, ptr %d, i32 %t
  store i32 %ballot, ptr %pa
  store i32 %sum, ptr %pb
  store i32 %min, ptr %pc
  store i32 %match, ptr %pd
  ret void
}

; Half of a warp on its own, the elected lane of which writes.
; SOME: 0: 120 nan nan {{.*}}
define ptx_kernel void @some_lanes(ptr %a) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %in = icmp ult i32 %t, 16
  br i1 %in, label %reduce, label %done
reduce:
  %x = uitofp i32 %t to float
  %x8 = call float @llvm.nvvm.shfl.sync.down.f32(i32 65535, float %x, i32 8, i32 15)
  %s8 = fadd float %x, %x8
  %x4 = call float @llvm.nvvm.shfl.sync.down.f32(i32 65535, float %s8, i32 4, i32 15)
  %s4 = fadd float %s8, %x4
  %x2 = call float @llvm.nvvm.shfl.sync.down.f32(i32 65535, float %s4, i32 2, i32 15)
  %s2 = fadd float %s4, %x2
  %x1 = call float @llvm.nvvm.shfl.sync.down.f32(i32 65535, float %s2, i32 1, i32 15)
  %s1 = fadd float %s2, %x1
  %elected = call { i32, i1 } @llvm.nvvm.elect.sync(i32 65535)
  %leads = extractvalue { i32, i1 } %elected, 1
  br i1 %leads, label %write, label %done
write:
  store float %s1, ptr %a
  ret void
done:
  ret void
}

; MISSING: deadlock in kernel 'missing_lane', block (0, 0, 0): thread (16, 0, 0) waits for other lanes in bar.warp.sync ('{{.*}}'), as 15 more; thread (0, 0, 0) waits for other lanes in shfl.sync.idx.i32 ('{{.*}}'), as 15 more
declare void @llvm.nvvm.bar.warp.sync(i32)
define ptx_kernel void @missing_lane(ptr %a) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %in = icmp ult i32 %t, 16
  br i1 %in, label %shuffle, label %done
shuffle:
  %x = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 -1, i32 %t, i32 5, i32 31)
  br label %done
done:
  call void @llvm.nvvm.bar.warp.sync(i32 -1)
  ret void
}

; ENDED: {{expects lane [0-9]+ of its warp, which has ended|deadlock in kernel 'ended_lane'}}
define ptx_kernel void @ended_lane(ptr %a) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %in = icmp ult i32 %t, 16
  br i1 %in, label %shuffle, label %done
shuffle:
  %x = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 -1, i32 %t, i32 5, i32 31)
  br label %done
done:
  ret void
}

; MASK: in shfl.sync.idx.i32 ('{{.*}}') is not in the mask of the lanes that take part
define ptx_kernel void @wrong_mask(ptr %a) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %x = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 65535, i32 %t, i32 5, i32 31)
  ret void
}

; INACTIVE: reads from lane 20, which does not take part
define ptx_kernel void @inactive_lane(ptr %a) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %in = icmp ult i32 %t, 16
  br i1 %in, label %shuffle, label %done
shuffle:
  %x = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 65535, i32 %t, i32 20, i32 31)
  br label %done
done:
  ret void
}

; SMALL: expects lane 16 of its warp, which the block does not have
