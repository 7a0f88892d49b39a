//===- Traffic.cpp - How well accesses use the memory ---------------------===//
//
// Part of memrev, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Traffic.h"
#include <algorithm>
#include <cstdio>
#include <set>
#include <vector>

using namespace memrev::simt;

static constexpr size_t kSectorBytes = 32, kWidestAccess = 16;
static constexpr unsigned kBanks = 32, kBankBytes = 4;

/// Of 64 bits, the first 32 say where, and the last two whether memory is
/// shared; those between count warps and lanes.
static uint64_t makeKey(uint32_t site, unsigned actor, bool isShared) {
  return uint64_t(site) << 32 | uint64_t(actor) << 1 | isShared;
}

void Traffic::note(unsigned warp, unsigned lane, uint32_t site,
                   uintptr_t address, size_t bytes, bool isShared) {
  // What is wider is several instructions.
  for (size_t done = 0; done < bytes; done += kWidestAccess) {
    uint32_t visit = visits[makeKey(site, warp * kNumLanes + lane, isShared)]++;
    Request &request = requests[makeKey(site, warp, isShared)][visit];
    request.lanes |= 1u << lane;
    request.addresses[lane] = address + done;
    request.bytes[lane] = std::min(bytes - done, kWidestAccess);
  }
}

Moved Traffic::countSectors(const Request &request) {
  std::set<uintptr_t> sectors;
  std::vector<std::pair<uintptr_t, uintptr_t>> ranges;
  for (unsigned lane = 0; lane < kNumLanes; ++lane) {
    if (!(request.lanes >> lane & 1))
      continue;
    uintptr_t begin = request.addresses[lane];
    uintptr_t end = begin + request.bytes[lane];
    ranges.emplace_back(begin, end);
    for (uintptr_t s = begin / kSectorBytes; s <= (end - 1) / kSectorBytes; ++s)
      sectors.insert(s);
  }
  std::sort(ranges.begin(), ranges.end());
  uintptr_t covered = 0, bytes = 0;
  for (auto [begin, end] : ranges) {
    begin = std::max(begin, covered);
    bytes += end > begin ? end - begin : 0;
    covered = std::max(covered, end);
  }
  return {1, sectors.size(), (bytes + kSectorBytes - 1) / kSectorBytes};
}

Moved Traffic::countWavefronts(const Request &request) {
  // Lanes go together as far as 32 banks reach: all of them with 4 bytes each,
  // a quarter with 16.
  size_t widest = kBankBytes;
  for (unsigned lane = 0; lane < kNumLanes; ++lane)
    if (request.lanes >> lane & 1)
      widest = std::max<size_t>(widest, request.bytes[lane]);
  unsigned together = kBanks * kBankBytes / widest;
  Moved moved{1, 0, 0};
  for (unsigned first = 0; first < kNumLanes; first += together) {
    std::set<uintptr_t> words[kBanks];
    for (unsigned lane = first; lane < first + together; ++lane) {
      if (!(request.lanes >> lane & 1))
        continue;
      uintptr_t begin = request.addresses[lane] / kBankBytes;
      uintptr_t last =
          (request.addresses[lane] + request.bytes[lane] - 1) / kBankBytes;
      for (uintptr_t word = begin; word <= last; ++word)
        words[word % kBanks].insert(word);
    }
    size_t most = 0, all = 0;
    for (const auto &bank : words) {
      most = std::max(most, bank.size());
      all += bank.size();
    }
    moved.units += most;
    moved.fewest += (all + kBanks - 1) / kBanks;
  }
  return moved;
}

void Traffic::startLaunch(const Kernel &kernel, uint64_t blocks) {
  Totals &totals = kernels[kernel.name];
  ++totals.launches;
  totals.blocks += blocks;
}

void Traffic::finishBlock(const Kernel &kernel) {
  Totals &totals = kernels[kernel.name];
  ++totals.counted;
  for (const auto &[key, visitsOfWarp] : requests) {
    bool isShared = key & 1;
    Moved &sum = totals.places[{static_cast<uint32_t>(key >> 32), isShared}];
    for (const auto &[visit, request] : visitsOfWarp) {
      Moved moved = isShared ? countWavefronts(request) : countSectors(request);
      sum.requests += moved.requests;
      sum.units += moved.units;
      sum.fewest += moved.fewest;
    }
  }
  visits.clear();
  requests.clear();
}

void Traffic::print() const {
  for (const auto &[name, totals] : kernels) {
    Moved sums[2];
    for (const auto &[place, moved] : totals.places) {
      Moved &sum = sums[place.isShared];
      sum.units += moved.units;
      sum.fewest += moved.fewest;
    }
    std::fprintf(
        stderr,
        "memrev-simt: traffic of '%s' in %llu of %llu blocks, %llu "
        "launches: %llu sectors (%llu needed), %llu wavefronts (%llu "
        "needed)\n",
        name.c_str(), (unsigned long long)totals.counted,
        (unsigned long long)totals.blocks, (unsigned long long)totals.launches,
        (unsigned long long)sums[0].units, (unsigned long long)sums[0].fewest,
        (unsigned long long)sums[1].units, (unsigned long long)sums[1].fewest);
    for (const auto &[place, moved] : totals.places) {
      if (moved.units == moved.fewest)
        continue;
      const Site &site = getSite(place.site);
      std::fprintf(stderr, "  %llu %s of %llu in %llu requests: %s%s%s\n",
                   (unsigned long long)moved.units,
                   place.isShared ? "wavefronts" : "sectors",
                   (unsigned long long)moved.fewest,
                   (unsigned long long)moved.requests, site.location.c_str(),
                   site.location.empty() ? "" : ", ", site.text.c_str());
    }
  }
}
