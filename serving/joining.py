"""Between single feeds and the feed of a batch, with numpy alone."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.runner import Answer, Feed


def joinable(one: Feed, other: Feed) -> bool:
    """Whether two feeds may share a batch: the same inputs, dtypes, and dimensions but for the rows."""
    for name, array in one.items():
        mate = other.get(name)
        if mate is None or mate.dtype != array.dtype or mate.shape[1:] != array.shape[1:]:
            return False
    return len(one) == len(other)


def padded_rows(rows: int, buckets: Sequence[int]) -> int:
    """The smallest bucket that holds so many rows; as many if none does.

    Args:
        rows: of a batch.
        buckets: in ascending order.
    """
    for bucket in buckets:
        if bucket >= rows:
            return bucket
    return rows


def join(feeds: Sequence[Feed], rows: int, padded: int) -> Feed:
    """Put feeds one behind another, and zeros or a text of theirs behind them: a single copy of each row.

    Args:
        feeds: with the same inputs, which differ in their numbers of rows alone.
        rows: of all feeds together.
        padded: rows that the batch shall have.

    Returns:
        The feed of the batch; a feed that is alone and needs no padding comes back as it is.
    """
    if padded > rows:
        return {name: _padded([feed[name] for feed in feeds], rows, padded) for name in feeds[0]}
    if len(feeds) == 1:
        return feeds[0]
    return {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}


def split(answer: Answer, counts: Sequence[int], padded: int) -> list[Answer]:
    """Cut a batch's answer into those of its feeds.

    Args:
        answer: output name to array.
        counts: rows of each feed, in order.
        padded: rows that the batch had.

    Raises:
        ValueError: the model answered with another number of rows, so that no row can be trusted.
    """
    for name, array in answer.items():
        if len(array) != padded:
            raise ValueError(f"a batch of {padded} rows was answered with {len(array)} rows of {name}")
    if counts[0] == padded:
        return [answer]
    parts: list[Answer] = []
    end = 0
    for count in counts:
        start, end = end, end + count
        parts.append({name: array[start:end] for name, array in answer.items()})
    return parts


def divide(feed: Feed, rows: int, most: int) -> list[Feed]:
    """Cut a feed into as few parts of at most so many rows as can be, all of nearly the same size."""
    count = -(-rows // most)
    ends = [rows * number // count for number in range(count + 1)]
    return [
        {name: array[start:end] for name, array in feed.items()} for start, end in itertools.pairwise(ends)
    ]


def unite(answers: Sequence[Answer]) -> Answer:
    """Put the answers of a feed's parts one behind another."""
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def _padded(arrays: Sequence[NDArray[Any]], rows: int, padded: int) -> NDArray[Any]:
    first = arrays[0]
    batch = np.empty((padded, *first.shape[1:]), first.dtype)
    np.concatenate(arrays, out=batch[:rows])
    texts = first.dtype.hasobject and first.size > 0  # a model that parses them would fail on empty ones
    batch[rows:] = first.flat[0] if texts else np.zeros((), first.dtype)
    return batch
