import dataclasses

import numpy as np
import pytest

from training.batches import evaluation_batches, training_batches, validation_indices
from training.datasets import Samples, load_dataset
from training.recipes import Recipe, find_recipe

PLAIN = Recipe(name="plain", epochs=1, batch_size=4, learning_rate=0.001)


@pytest.fixture
def samples():
    """Ten images, each filled with its own grey value, 0 to 225."""
    x = np.arange(10, dtype=np.uint8)[:, None, None, None] * 25 * np.ones((1, 12, 12, 1), np.uint8)
    return Samples(inputs={"x": x}, targets={"y": np.arange(10) % 3})


def epochs(dataset, steps):
    """The first two epochs as lists of (grey value of each image, class of each)."""
    batches = [(images.numpy(), labels.numpy()) for images, labels in dataset.take(2 * steps)]
    flat = [
        (np.rint(images[:, 6, 6, 0] * 255).astype(int).tolist(), labels.argmax(1).tolist())
        for images, labels in batches
    ]
    return flat[:steps], flat[steps:]


def test_the_notebook_validates_on_the_last_30_percent():
    labels = load_dataset("mnist").train.y
    assert validation_indices(labels, find_recipe("notebook")).tolist() == list(range(42_000, 60_000))


def test_a_stratified_split_holds_out_the_same_share_of_every_class():
    labels = np.repeat([0, 1, 2], [1000, 300, 5])
    held_out = validation_indices(labels, PLAIN)
    assert np.bincount(labels[held_out]).tolist() == [100, 30, 1]
    assert held_out.tolist() == sorted(set(held_out.tolist()))


def test_of_every_class_a_sample_is_held_out_and_one_is_left():
    labels = np.repeat([0, 1, 2], [2, 3, 20])
    held_out = validation_indices(labels, dataclasses.replace(PLAIN, validation=0.9))
    assert np.bincount(labels[held_out]).tolist() == [1, 2, 18]
    assert validation_indices(labels[:2], find_recipe("notebook")).tolist() == [1]


def test_every_epoch_holds_every_sample_once_with_its_label_in_another_order(samples):
    first, second = epochs(training_batches(samples, 3, PLAIN, seed=1), steps=3)
    for epoch in (first, second):
        values = [value for batch, _ in epoch for value in batch]
        classes = [label for _, batch in epoch for label in batch]
        assert sorted(values) == list(range(0, 250, 25))
        assert classes == [value // 25 % 3 for value in values]
    assert first != second
    assert [len(batch) for batch, _ in first] == [4, 4, 2]


def test_the_seed_decides_order_and_augmentation(samples):
    recipe = dataclasses.replace(PLAIN, shift=2.0, rotation=10.0, zoom=0.1)
    draw = lambda seed: next(iter(training_batches(samples, 3, recipe, seed=seed)))[0].numpy()  # noqa: E731
    assert np.array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))


def test_a_shift_moves_the_content_no_further_than_asked():
    image = np.zeros((200, 21, 21, 1), np.uint8)
    image[:, 10, 10] = 255
    recipe = dataclasses.replace(PLAIN, batch_size=200, shift=3.0)
    moved = next(
        iter(
            training_batches(
                Samples(inputs={"x": image}, targets={"y": np.zeros(200, int)}), 2, recipe, seed=0
            )
        )
    )[0].numpy()
    rows, columns = moved[..., 0].max(2).argmax(1), moved[..., 0].max(1).argmax(1)
    assert rows.min() >= 7
    assert rows.max() <= 13
    assert np.ptp(columns) >= 5


def test_evaluation_keeps_order_and_values(samples):
    images, labels = next(iter(evaluation_batches(samples, 3)))
    assert np.allclose(images.numpy() * 255, samples.inputs["x"])
    assert labels.numpy().argmax(1).tolist() == samples.y.tolist()
