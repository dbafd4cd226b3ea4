"""What the writer of the log measures of itself. Written by its thread alone, read by anyone.

Each number is one int or float, and a bucket is only ever counted up, so a reader may see a commit that is in a
bucket and not yet in the sum; it never sees less than before.
"""

from __future__ import annotations

from bisect import bisect_left

COMMIT_BOUNDS_S = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper ends of the buckets, seconds. A commit without fsync takes 0.1 ms, one on an SSD 1 ms, on a disk that turns
10 ms; what takes longer than a tick waits (2 ms) is felt, and ten seconds are a disk that hangs."""


class Measured:
    __slots__ = ("buckets", "commits", "longest_commit_s", "records", "total_commit_s")

    def __init__(self) -> None:
        self.commits = 0
        self.records = 0
        self.longest_commit_s = 0.0
        self.total_commit_s = 0.0
        self.buckets = [0] * (len(COMMIT_BOUNDS_S) + 1)
        """Commits by how long they took; each counts in one only. The last is for those beyond every bound."""

    def committed(self, took_s: float) -> None:
        self.buckets[bisect_left(COMMIT_BOUNDS_S, took_s)] += 1
        self.total_commit_s += took_s
        self.longest_commit_s = max(self.longest_commit_s, took_s)
        self.commits += 1

    def commit_quantile_s(self, share: float) -> float | None:
        """The bound that this share of the commits kept, or the longest one if that is less; None before the first."""
        counts = list(self.buckets)
        needed = share * sum(counts)
        if not needed:
            return None
        seen = 0
        for count, bound in zip(counts, COMMIT_BOUNDS_S, strict=False):
            seen += count
            if seen >= needed:
                return min(bound, self.longest_commit_s)
        return self.longest_commit_s
