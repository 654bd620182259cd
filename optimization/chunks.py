"""Chunks: many series a part at a time, on a thread a core, so that memory is bounded by the part."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pandas as pd

SIZE = 10_000  # series of a chunk


def in_chunks(
    work: Callable[[slice], pd.DataFrame], count: int, threads: int | None = None, size: int = SIZE
) -> pd.DataFrame:
    """The frames that `work` gives for each chunk of `count` series, in order, as one.

    work: independent by series; called at least once, also for none
    threads: default one a core; the result does not depend on it

    >>> in_chunks(lambda rows: pd.DataFrame({"row": range(rows.start, rows.stop)}), 5, size=2)["row"].tolist()
    [0, 1, 2, 3, 4]
    """
    chunks = [slice(first, min(first + size, count)) for first in range(0, max(count, 1), size)]
    if len(chunks) == 1:
        return work(chunks[0])
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        return pd.concat(list(pool.map(work, chunks)), ignore_index=True)
