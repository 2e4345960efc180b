"""Batches that are filled up: what the model is fed, what the submitters get."""

import asyncio

import numpy as np
import pytest

from serving.batcher import Batcher
from serving.settings import ModelSettings


async def run_together(feeds, **settings):
    """Submit feeds at once to a model that gives back what it is fed.

    Returns:
        What it was fed, and the answers.
    """
    fed = []

    async def run(feed):
        fed.append(feed)
        return dict(feed)

    async with Batcher([run], ModelSettings(**settings)) as batcher:
        done = await asyncio.gather(*(batcher.submit(feed) for feed in feeds))
    return fed, [batched.answer for batched in done]


@pytest.mark.parametrize(
    ("counts", "padded"),
    [((1,), 2), ((2,), 2), ((1, 2), 8), ((3, 5), 8), ((4, 5), 9), ((9,), 9)],
)
async def test_a_batch_is_filled_up_to_the_next_bucket(counts, padded):
    values = np.random.default_rng(3).normal(size=(sum(counts), 2, 3))
    parts = np.split(values, np.cumsum(counts)[:-1])
    fed, answers = await run_together(
        [{"x": part} for part in parts], max_batch_rows=9, padding_buckets=(2, 8)
    )
    expected = np.zeros((padded, 2, 3))
    expected[: len(values)] = values
    assert [feed["x"].tolist() for feed in fed] == [expected.tolist()]
    assert [answer["x"].tolist() for answer in answers] == [part.tolist() for part in parts]


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", "f2", "<f4", ">f4", "f8", "c8", "S3", "U3"])
async def test_each_dtype_is_filled_up_with_its_zero(dtype):
    rows = np.ones((3, 2), dtype)
    fed, answers = await run_together([{"x": rows}], padding_buckets=(4,))
    assert fed[0]["x"].dtype == rows.dtype
    assert fed[0]["x"].tolist() == [*rows.tolist(), np.zeros(2, dtype).tolist()]
    assert answers[0]["x"].tolist() == rows.tolist()


@pytest.mark.parametrize("text", [b"\x00row", "row"])
async def test_texts_are_filled_up_with_the_first_of_them(text):
    rows = np.array([[text, text[:1]]] * 3, object)
    fed, answers = await run_together([{"x": rows}], padding_buckets=(5,))
    assert fed[0]["x"].dtype == object
    assert fed[0]["x"].tolist() == [*rows.tolist(), *[[text] * 2] * 2]
    assert answers[0]["x"].tolist() == rows.tolist()


async def test_every_input_is_filled_up():
    feed = {"x": np.ones((3, 1), np.float32), "ids": np.ones(3, np.int64), "none": np.ones((3, 0), object)}
    fed, answers = await run_together([feed], padding_buckets=(4,))
    assert {name: array.shape for name, array in fed[0].items()} == {"x": (4, 1), "ids": (4,), "none": (4, 0)}
    assert fed[0]["ids"].tolist() == [1, 1, 1, 0]
    assert {name: array.shape for name, array in answers[0].items()} == {
        "x": (3, 1),
        "ids": (3,),
        "none": (3, 0),
    }
