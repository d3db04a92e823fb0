// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/instant.hpp"
#include "memory/page_account.hpp"

#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace sluice {

/// Who lost pages in a repair, and the pages that were in doubt.
struct ledger_repair {
  std::vector<owner_id> owners;
  std::vector<page_id> pages;
};

/// The exact account of the pages of one KV store. It is kept twice: a record
/// per page, and lists of the free pages, of every holder's pages, of what is
/// in flight and of what is cached. check() compares the two, so a slip in
/// either shows before a page serves two sequences. A page may have several
/// holders; it is free when the last one has gone, no plan names it and it is
/// not cached. Plain bookkeeping: touches no KV bytes.
class ledger {
public:
  explicit ledger(std::uint32_t pool_pages);

  /// The time at which everything that follows happens; never goes back.
  void advance(instant now);

  /// Gives free pages to an owner, behind those it has.
  /// @return the pages, or nothing if the pool is short; nothing changed then.
  std::optional<std::vector<page_id>> claim(owner_id owner,
                                            std::uint32_t pages);

  /// Makes an owner one more holder of pages in use, behind those it has.
  /// @throws contract_violation for a free page.
  void share(owner_id owner, std::span<const page_id> pages);

  /// Puts a free page in the place of an owner's entry. The old page leaves the
  /// owner as by release().
  /// @return the new page, or nothing if none is free.
  /// @throws contract_violation if there is no such entry.
  std::optional<page_id> renew(owner_id owner, std::uint32_t entry);

  /// Takes the pages from entry `keep` on from an owner, as by release().
  void shorten(owner_id owner, std::uint32_t keep);

  /// Records that a plan names the owner's pages: they cannot become free
  /// before it is settled. Nothing happens for an owner without pages.
  void mark_in_flight(owner_id owner, std::uint64_t plan);

  /// Says that every plan up to this one is done; frees what waited for it.
  void settle(std::uint64_t plan);

  /// Takes all pages from an owner: its hold ends at once, or with the last
  /// plan that names them. The owner may claim anew meanwhile.
  void release(owner_id owner);

  /// Keeps a page in use when its holders have gone.
  /// @throws contract_violation for a page that nobody holds.
  void cache(page_id page);

  /// Ends cache(), and pin() with it.
  void uncache(page_id page);

  /// Marks a cached page as one that must stay; others are left alone.
  void pin(page_id page, bool pinned);

  /// Cached pages whose last holder went since the last call. They may have
  /// found a holder again.
  std::vector<page_id> take_idle();

  /// Pages of an owner in order of position; empty for a stranger.
  std::span<const page_id> pages_of(owner_id owner) const;

  /// Pages held, summed over time. A shared page is charged in full to every
  /// holder, so that a receipt does not depend on who else ran. Ends with
  /// release(); 0 for a stranger.
  double page_seconds(owner_id owner) const;

  /// Everybody who has pages, in no order.
  std::vector<owner_id> owners() const;

  /// The record of a page below the pool's size.
  const page_account& account(page_id page) const { return records_[page]; }

  /// Pages per state, by the records. Their sum is the pool, always.
  ledger_counts counts() const noexcept { return counts_; }

  std::uint32_t free_pages() const noexcept {
    return static_cast<std::uint32_t>(pool_.free_list().size());
  }

  /// Compares the totals of both books: cheap, for every step.
  bool sums_agree() const;

  /// Compares both books. Costs one pass over the pool.
  /// @return every page that is in doubt; empty when all is well.
  std::vector<discrepancy> check() const;

  /// Ends every discrepancy: owners that are named in one lose all their
  /// pages, disputed pages leave the cache, wait for the latest plan and are
  /// then free again. Everybody else goes on.
  ledger_repair repair();

  /// Writes a wrong record, so that tests can see check() find it.
  void corrupt_for_test(page_id page, const page_account& wrong);

  /// Strikes the last page off an owner's list: a leak.
  void leak_for_test(owner_id owner);

private:
  struct holding {
    std::vector<page_id> pages;
    std::optional<std::uint64_t> last_plan; // that names the owner
    double page_seconds = 0;                // until `since`
    instant since{};
  };
  struct departed {
    owner_id owner = no_owner;
    std::vector<page_id> pages;
  };
  struct totals { // of one book
    std::uint64_t holds = 0;
    std::uint64_t cached = 0;
    bool operator==(const totals&) const = default;
  };
  struct tally;

  void record(page_id page, const page_account& now);
  void accrue(holding& held);
  bool is_holder(page_id page, owner_id owner) const;
  void give_up(owner_id owner, std::optional<std::uint64_t> last_plan,
               std::vector<page_id> pages);
  void land(const departed& gone);
  void end_hold(page_id page, page_account account);
  tally count_holders() const;
  void name_owners(std::vector<discrepancy>& problems) const;
  void strike(std::span<const page_id> disputed);
  void rebuild(std::span<const page_id> disputed);
  void rebuild_records();

  page_pool pool_;
  std::vector<page_account> records_; // [pool]
  ledger_counts counts_;              // of records_
  totals recorded_;
  totals listed_;
  std::unordered_map<owner_id, holding> holdings_;
  std::multimap<std::uint64_t, departed> departed_; // by their last plan
  std::unordered_map<page_id, bool> cached_;        // and whether pinned
  std::vector<page_id> idle_;
  std::optional<std::uint64_t> settled_; // every plan up to it is done
  std::optional<std::uint64_t> latest_plan_;
  instant now_{};
};

} // namespace sluice
