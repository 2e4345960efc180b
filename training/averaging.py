"""The moving average of a model's weights, which often generalises better than the weights themselves."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

WARMUP_STEPS = 10  # a young average forgets faster, or it would hold on to the initial weights


class WeightAverage:
    """An exponential average of every float32 weight, batch normalisation's statistics included.

    Keras's own (`use_ema`) leaves those statistics out. With a momentum of 0 there is no average, and the
    model always shows its own weights.
    """

    def __init__(self, model: "keras.Model", momentum: float) -> None:
        import tensorflow as tf

        self._active = momentum > 0
        self._shown = False
        self._live: list[Any] = [weight.value for weight in model.weights if weight.dtype == "float32"]
        self._kept: list[Any] = []
        if self._active:
            self._kept = [tf.Variable(weight, trainable=False) for weight in self._live]
            self._steps = tf.Variable(0.0)
            self._momentum = momentum
            self._update, self._exchange = tf.function(self._move), tf.function(self._swap)

    def update(self) -> None:
        """Take the weights after a training step into the average."""
        if self._active:
            self._update()

    def show(self, averaged: bool) -> None:
        """Put the average, or the weights themselves, into the model."""
        if self._active and averaged != self._shown:
            self._exchange()
            self._shown = averaged

    def _move(self) -> None:
        import tensorflow as tf

        share = tf.maximum(1 - self._momentum, (WARMUP_STEPS - 1) / (WARMUP_STEPS + self._steps))
        self._steps.assign_add(1.0)
        for kept, live in zip(self._kept, self._live, strict=True):
            kept.assign_add(share * (live - kept))

    def _swap(self) -> None:
        import tensorflow as tf

        for kept, live in zip(self._kept, self._live, strict=True):
            own = tf.identity(live)
            live.assign(kept)
            kept.assign(own)
