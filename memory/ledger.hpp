// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/page_pool.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// What a page is used for; a page is in exactly one state.
enum class page_state : std::uint8_t {
  free,
  active,   ///< holds KV of a running sequence
  cached,   ///< holds KV that nobody runs on; may be evicted
  pinned,   ///< holds KV that must stay, whoever runs
  in_flight ///< given back, but an unfinished plan may still touch it
};

/// "free", "active", ...
std::string_view name(page_state state);

/// Who holds a page, e.g. a sequence's key.
using owner_id = std::uint64_t;
inline constexpr owner_id no_owner = ~owner_id{0};

/// Pages per state.
struct ledger_counts {
  std::uint32_t free = 0;
  std::uint32_t active = 0;
  std::uint32_t cached = 0;
  std::uint32_t pinned = 0;
  std::uint32_t in_flight = 0;

  std::uint32_t sum() const {
    return free + active + cached + pinned + in_flight;
  }
  bool operator==(const ledger_counts&) const = default;
};

/// What the books say of one page.
struct page_record {
  page_state state = page_state::free;
  owner_id owner = no_owner;
  bool operator==(const page_record&) const = default;
};

/// A page whose record and whose holder disagree.
struct discrepancy {
  page_id page = 0;
  page_record recorded;          ///< by the page's own record
  page_record found;             ///< in the free list or in a holder's list
  std::uint32_t times_found = 0; ///< in all lists; 1 is right
};

/// One line for a log: "page 7: recorded active of 3, found 2 times, ...".
std::string describe(const discrepancy& problem);

/// The exact account of the pages of one KV store. It is kept twice: a record
/// per page, and lists of the free pages and of every holder's pages. check()
/// compares the two, so a slip in either shows before a page serves two
/// sequences. Plain bookkeeping: touches no KV bytes.
class ledger {
public:
  explicit ledger(std::uint32_t pool_pages);

  /// Gives free pages to an owner: free -> active.
  /// @return the pages, or nothing if the pool is short; nothing changed then.
  std::optional<std::vector<page_id>> claim(owner_id owner,
                                            std::uint32_t pages);

  /// Records that a plan names the owner's pages: they cannot become free
  /// before it is settled. Nothing happens for an owner without pages.
  void mark_in_flight(owner_id owner, std::uint64_t plan);

  /// Says that every plan up to this one is done; frees what waited for it.
  void settle(std::uint64_t plan);

  /// Takes all pages from an owner: free at once, or in flight until the last
  /// plan that names them is settled. The owner may claim anew meanwhile.
  void release(owner_id owner);

  /// Changes what an owner's pages are used for.
  /// @param state  active, cached or pinned.
  /// @throws contract_violation for another state.
  void restate(owner_id owner, page_state state);

  /// Pages of an owner, oldest first; empty for a stranger.
  std::span<const page_id> pages_of(owner_id owner) const;

  /// Pages per state, by the records. Their sum is the pool, always.
  ledger_counts counts() const noexcept { return counts_; }

  std::uint32_t free_pages() const noexcept {
    return static_cast<std::uint32_t>(pool_.free_list().size());
  }

  /// Compares both books. Costs one pass over the pool.
  /// @return every page on which they disagree; empty when all is well.
  std::vector<discrepancy> check() const;

  /// Ends every discrepancy: owners that are named in one lose all their
  /// pages, disputed pages wait for the latest plan and are then free again.
  /// @return the owners that lost their pages.
  std::vector<owner_id> repair();

  /// Writes a wrong record, so that tests can see check() find it.
  void corrupt_for_test(page_id page, page_record wrong);

private:
  struct holding {
    std::vector<page_id> pages;
    page_state state = page_state::active;
    std::optional<std::uint64_t> last_plan; // that names the owner
  };
  struct departed {
    owner_id owner;
    std::optional<std::uint64_t> last_plan;
    std::vector<page_id> pages;
  };
  struct tally;

  void record(page_id page, page_record now);
  void make_free(std::span<const page_id> pages, page_record expected);
  tally count_holders() const;
  void rebuild_records();

  page_pool pool_;
  std::vector<page_record> records_; // [pool]
  ledger_counts counts_;             // of records_
  std::map<owner_id, holding> holdings_;
  std::vector<departed> departed_;
  std::optional<std::uint64_t> settled_; // every plan up to it is done
  std::optional<std::uint64_t> latest_plan_;
};

} // namespace sluice
