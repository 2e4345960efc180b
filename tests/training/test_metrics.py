import numpy as np
import pytest

from training.metrics import classification_metrics, wilson_interval


# R. G. Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_newcombes_table(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_metrics_of_a_hand_made_answer():
    probabilities = np.array([[0.5, 0.5 - 1e-7, 0], [0.1, 0.8, 0.1], [0.25, 0.25, 0.5]])
    metrics = classification_metrics(probabilities, np.array([0, 1, 1]))
    assert (metrics.samples, metrics.correct) == (3, 2)
    assert metrics.accuracy == pytest.approx(2 / 3)
    assert metrics.loss == pytest.approx(-(np.log(0.5) + np.log(0.8) + np.log(0.25)) / 3)
