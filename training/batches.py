"""From uint8 arrays in memory to seeded, shuffled, augmented batches of float pixels."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.datasets import Samples
from training.recipes import Recipe

if TYPE_CHECKING:
    import tensorflow as tf

EVALUATION_BATCH = 1000
SPLIT_SEED = 0  # the split depends on the data alone, so that runs with other seeds stay comparable


def validation_indices(labels: NDArray[np.int64], recipe: Recipe) -> NDArray[np.int64]:
    """Sorted indices of the training samples held out for validation, at least one."""
    count = len(labels)
    if not recipe.stratified:
        return np.arange(min(int(count * (1 - recipe.validation)), count - 1), count)
    generator = np.random.default_rng(SPLIT_SEED)
    chosen = []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        chosen.append(members[: max(1, round(len(members) * recipe.validation))])
    return np.sort(np.concatenate(chosen))


def training_batches(samples: Samples, classes: int, recipe: Recipe, *, seed: int) -> "tf.data.Dataset[Any]":
    """An endless stream of training batches, another order and other augmentation in each epoch.

    Images stay uint8 in memory and become float32 pixels in 0..1 a batch at a time.

    Returns:
        Pairs of images (batch, height, width, channels) and one-hot labels (batch, classes). The last,
        smaller batch of an epoch is kept.
    """
    import tensorflow as tf

    images, labels = tf.constant(samples.inputs["x"]), tf.constant(samples.y)

    def batch(step: "tf.Tensor", indices: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor"]:
        pixels = tf.cast(tf.gather(images, indices), tf.float32) / 255.0
        if recipe.augments:
            pixels = _move(pixels, recipe, tf.stack([step, tf.constant(seed, tf.int64)]))
        return pixels, tf.one_hot(tf.gather(labels, indices), classes)

    order = tf.data.Dataset.range(len(samples)).shuffle(len(samples), seed=seed)
    steps = order.batch(recipe.batch_size).repeat().enumerate()
    return steps.map(batch, num_parallel_calls=1, deterministic=True).prefetch(2)


def evaluation_batches(samples: Samples, classes: int) -> "tf.data.Dataset[Any]":
    """The samples once, in order, in the form of `training_batches` without augmentation."""
    import tensorflow as tf

    def batch(images: "tf.Tensor", labels: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor"]:
        return tf.cast(images, tf.float32) / 255.0, tf.one_hot(labels, classes)

    arrays = tf.data.Dataset.from_tensor_slices((samples.inputs["x"], samples.y))
    return arrays.batch(EVALUATION_BATCH).map(batch).prefetch(2)


def _move(pixels: "tf.Tensor", recipe: Recipe, seed: "tf.Tensor") -> "tf.Tensor":
    """Rotate, zoom and shift every image on its own, about its centre, with black beyond the edges."""
    import tensorflow as tf

    count, (height, width) = tf.shape(pixels)[0], pixels.shape[1:3]
    turn, zoom, right, down = tf.unstack(tf.random.stateless_uniform([4, count], seed, -1.0, 1.0))
    angle, scale = turn * math.radians(recipe.rotation), 1 / (1 + recipe.zoom * zoom)
    cosine, sine = tf.cos(angle) * scale, tf.sin(angle) * scale
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    zero = tf.zeros_like(angle)
    # Each row maps an output pixel (x, y) to (a x + b y + c, d x + e y + f) in the input.
    transforms = tf.stack(
        [
            cosine,
            -sine,
            centre_x - cosine * centre_x + sine * centre_y + right * recipe.shift,
            sine,
            cosine,
            centre_y - sine * centre_x - cosine * centre_y + down * recipe.shift,
            zero,
            zero,
        ],
        axis=1,
    )
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=transforms,
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.ensure_shape(moved, pixels.shape)
