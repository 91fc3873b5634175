"""Batches of as many tokens rather than rows. Imports nothing heavy."""

from collections.abc import Iterator, Sequence


def token_batches(lengths: Sequence[int], tokens: int, processes: int = 1) -> Iterator[tuple[int, int]]:
    """Start and end of batches of consecutive rows, each with as many as a number of padded tokens has room for.

    Args:
        lengths: tokens of each row; least is padded where they are sorted.
        tokens: the most that a process's share of a batch holds, padding included; a longer row is a share alone.
        processes: that share a batch: all but the last have a multiple of them in rows.
    """
    start = 0
    while start < len(lengths):
        end, longest = start, 0
        while end < len(lengths):
            longest = max(longest, *lengths[end : end + processes])
            if end > start and ((end - start) // processes + 1) * longest > tokens:
                break
            end += processes
        yield start, min(end, len(lengths))
        start = end
