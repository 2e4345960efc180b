"""From uint8 arrays in memory to seeded, shuffled, augmented batches of float pixels."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.datasets import Samples
from training.recipes import Recipe

if TYPE_CHECKING:
    import tensorflow as tf

EVALUATION_BATCH = 1000
SPLIT_SEED = 0  # the split depends on the data alone, so that runs with other seeds stay comparable


def has_pixels(inputs: Mapping[str, NDArray[Any]]) -> bool:
    """Whether the only input is uint8 images, which models see as float32 pixels in 0..1."""
    images = inputs.get("x") if len(inputs) == 1 else None
    return images is not None and images.dtype == np.uint8 and images.ndim == 4  # noqa: PLR2004


def validation_indices(targets: NDArray[Any], recipe: Recipe) -> NDArray[np.int64]:
    """Sorted indices of the training samples held out for validation: at least one, and never all.

    Of each class of at least two samples, one is held out and one left, unless the last samples are taken.

    Args:
        targets: class indices (samples,), or values (samples, values), of which a random share is taken.
        recipe: which share, and whether at random.
    """
    count = len(targets)
    if not recipe.stratified:
        return np.arange(max(1, min(int(count * (1 - recipe.validation)), count - 1)), count)
    generator = np.random.default_rng(SPLIT_SEED)
    groups = targets if targets.ndim == 1 else np.zeros(count)
    chosen = []
    for group in np.unique(groups):
        members = generator.permutation(np.flatnonzero(groups == group))
        share = max(1, round(len(members) * recipe.validation))
        chosen.append(members[: min(share, len(members) - 1)])
    return np.sort(np.concatenate(chosen))


def training_batches(
    samples: Samples, classes: int, recipe: Recipe, *, seed: int, first_epoch: int = 0
) -> "tf.data.Dataset[Any]":
    """An endless stream of training batches, another order and other augmentation in each epoch.

    Images stay uint8 in memory and become float32 pixels in 0..1 a batch at a time.

    Args:
        samples: to learn from.
        classes: of the one-hot labels; 0 leaves values as they are.
        recipe: batch size and augmentation, the latter for images alone.
        seed: of order and augmentation.
        first_epoch: how many epochs are done already.

    Returns:
        Pairs of inputs, an array (batch, ...) or several by name, and targets (batch, classes or values).
        The last, smaller batch of an epoch is kept.
    """
    import tensorflow as tf

    inputs = {name: tf.constant(array) for name, array in samples.inputs.items()}
    targets, pixels = tf.constant(samples.y), has_pixels(samples.inputs)

    def batch(step: "tf.Tensor", indices: "tf.Tensor") -> tuple[Any, "tf.Tensor"]:
        chosen = {name: tf.gather(array, indices) for name, array in inputs.items()}
        prepared, labels = _prepare(chosen, tf.gather(targets, indices), classes, pixels=pixels)
        if pixels and recipe.augments:
            prepared = _move(prepared, recipe, tf.stack([step, tf.constant(seed, tf.int64)]))
        return prepared, labels

    steps = math.ceil(len(samples) / recipe.batch_size)
    order = tf.data.Dataset.range(len(samples)).shuffle(len(samples), seed=seed + 1000 * first_epoch)
    numbered = order.batch(recipe.batch_size).repeat().enumerate(first_epoch * steps)
    return numbered.map(batch, num_parallel_calls=1, deterministic=True).prefetch(2)


def evaluation_batches(samples: Samples, classes: int) -> "tf.data.Dataset[Any]":
    """The samples once, in order, in the form of `training_batches` without augmentation."""
    import tensorflow as tf

    pixels = has_pixels(samples.inputs)
    arrays = tf.data.Dataset.from_tensor_slices((dict(samples.inputs), samples.y)).batch(EVALUATION_BATCH)
    return arrays.map(lambda inputs, y: _prepare(inputs, y, classes, pixels=pixels)).prefetch(2)


def _prepare(
    inputs: "dict[str, tf.Tensor]", targets: "tf.Tensor", classes: int, *, pixels: bool
) -> tuple[Any, "tf.Tensor"]:
    import tensorflow as tf

    only = next(iter(inputs.values())) if len(inputs) == 1 else inputs
    prepared = tf.cast(only, tf.float32) / 255.0 if pixels else only
    return prepared, tf.one_hot(targets, classes) if classes else targets


def _move(pixels: "tf.Tensor", recipe: Recipe, seed: "tf.Tensor") -> "tf.Tensor":
    """Rotate, zoom, shear and shift every image on its own, about its centre, with black beyond the edges."""
    import tensorflow as tf

    count, (height, width) = tf.shape(pixels)[0], pixels.shape[1:3]
    turn, zoom, right, down, lean = tf.unstack(tf.random.stateless_uniform([5, count], seed, -1.0, 1.0))
    angle, scale = turn * math.radians(recipe.rotation), 1 / (1 + recipe.zoom * zoom)
    cosine, sine = tf.cos(angle) * scale, tf.sin(angle) * scale
    across = lean * recipe.shear - sine
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    zero = tf.zeros_like(angle)
    # Each row maps an output pixel (x, y) to (a x + b y + c, d x + e y + f) in the input.
    transforms = tf.stack(
        [
            cosine,
            across,
            centre_x - cosine * centre_x - across * centre_y + right * recipe.shift,
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
