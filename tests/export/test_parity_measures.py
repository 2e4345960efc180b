"""The measures beside the verdict: |Δ|, flips, KL, calibration, classes, and what is written of them."""

import math

import msgspec
import numpy as np
import pytest

from export.formats import Tier
from export.parity.compare import TargetKind, Targets, compare
from export.verdict import Comparison, Verdict

LOGITS = np.log(np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6], [0.4, 0.35, 0.25]]))
OTHERS = np.log(np.array([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.1, 0.3, 0.6], [0.3, 0.5, 0.2]]))
LABELS = np.array([0, 1, 2, 1])


def of(reference, candidate, labels=None, kind=TargetKind.CLASS):
    targets = {} if labels is None else {"": Targets(kind=kind, values=labels)}
    return compare({"y": reference}, {"y": candidate}, targets=targets, tier=Tier.QUANTIZED).deciding


def test_distances_by_hand():
    before = np.zeros((4, 2, 2))
    after = np.array([0, 0, 1e-20, -3e-3, 0.2, 0.2, 1e9, 0, 0, 0, 0, 0, 0, 0, 0, 0], float).reshape(4, 2, 2)
    output = of(before, after)
    assert (output.max_abs, output.mean_abs) == (1e9, pytest.approx(1e9 / 16))
    histogram = output.histogram
    assert histogram.log10_edges[0] == -12
    assert histogram.log10_edges[-1] == 4
    assert len(histogram.log10_edges) == len(histogram.counts) + 1
    found = {
        edge: count for edge, count in zip(histogram.log10_edges, histogram.counts, strict=False) if count
    }
    assert found == {-12: 1, -3: 1, -1: 2, 3.5: 1}  # log10 of 0.003 is -2.52, of 0.2 is -0.70
    assert histogram.zero == 11


def test_the_percentile_of_the_distance_leaves_out_a_thousandth():
    distance = np.arange(10_001) / 10_000
    output = of(np.zeros((10_001, 1, 1)), distance.reshape(-1, 1, 1))
    assert output.p999_abs == pytest.approx(0.999)


def test_divergence_by_hand():
    output = of(LOGITS, OTHERS)
    by_hand = [
        sum(p * math.log(p / q) for p, q in zip(ps, qs, strict=True))
        for ps, qs in zip(np.exp(LOGITS), np.exp(OTHERS), strict=True)
    ]
    assert output.kl_mean == pytest.approx(sum(by_hand) / 4)
    assert output.kl_max == pytest.approx(max(by_hand))


def test_impossible_classes_leave_the_divergence_finite():
    certain = np.array([[1.0, 0.0], [0.0, 1.0]])
    output = of(certain, certain[::-1].copy(), np.array([0, 1]))
    assert output.kl_max == pytest.approx(12 * math.log(10), rel=1e-6)  # clipped at 1e-12
    assert output.calibration.nll.candidate == pytest.approx(12 * math.log(10), rel=1e-6)
    assert of(certain, certain, np.array([0, 1])).kl_max == 0


def test_calibration_by_hand():
    shift = of(LOGITS, OTHERS, LABELS).calibration
    assert shift.nll.reference == pytest.approx(-np.log([0.7, 0.7, 0.6, 0.35]).mean())
    assert shift.nll.candidate == pytest.approx(-np.log([0.6, 0.3, 0.6, 0.5]).mean())
    # The sum over classes: 0.3² + 0.2² + 0.1², and so on.
    assert shift.brier.reference == pytest.approx((0.14 + 0.14 + 0.26 + 0.645) / 4)
    assert shift.brier.candidate == pytest.approx((0.26 + 0.86 + 0.26 + 0.38) / 4)
    # Bins of a fifteenth: 0.7 and 0.7 together, all right; 0.6 right; 0.4 wrong, in bins of their own.
    assert shift.ece.reference == pytest.approx((0.6 + 0.4 + 0.4) / 4)
    # 0.6 right, wrong, right: 1.8 - 2; 0.5 right.
    assert shift.ece.candidate == pytest.approx((0.2 + 0.5) / 4)
    for metric in (shift.ece, shift.nll, shift.brier):
        assert metric.shift == pytest.approx(metric.candidate - metric.reference)
        assert metric.interval[0] <= metric.shift <= metric.interval[1]


def test_calibration_of_several_labels_by_hand():
    before = np.array([[0.9, 0.2], [0.6, 0.7]])
    labels = np.array([[1, 0], [0, 1]])
    shift = of(before, before, labels, TargetKind.MULTI_LABEL).calibration
    assert shift.nll.reference == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.7]).mean())
    assert shift.brier.reference == pytest.approx((0.01 + 0.04 + 0.36 + 0.09) / 4)
    assert shift.ece.reference == pytest.approx((0.1 + 0.2 + 0.6 + 0.3) / 4)
    assert shift.nll.interval == (0, 0)


def test_the_paired_interval_is_that_of_the_normal_approximation():
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 3, 5_000)
    before = generator.normal(0, 1, (5_000, 3))
    before[np.arange(5_000), labels] += 2
    after = before + generator.normal(0, 0.3, before.shape)
    interval = of(before, after, labels).calibration.nll.interval
    rows = np.arange(5_000)
    nll = [np.log(np.exp(scores).sum(axis=1)) - scores[rows, labels] for scores in (before, after)]
    change = nll[1] - nll[0]
    half = 1.96 * change.std() / np.sqrt(5_000)
    assert interval == pytest.approx((change.mean() - half, change.mean() + half), abs=0.15 * half)


def test_a_temperature_shows_in_the_calibration_and_not_in_the_accuracy():
    generator = np.random.default_rng(4)
    labels = generator.integers(0, 3, 5_000)
    before = generator.normal(0, 1, (5_000, 3))
    before[np.arange(5_000), labels] += 2
    output = of(2 * before, 6 * before, labels)  # twice is the true posterior
    assert output.accuracy.worse == output.accuracy.better == 0
    assert output.calibration.ece.reference < 0.03
    assert output.calibration.ece.interval[0] > 0.02


def test_changes_of_classes_with_holms_correction():
    labels = np.repeat([0, 1, 2, 3], 100)
    logits = 5 * np.eye(4)[labels]
    changed = logits.copy()
    changed[:8] = 5 * np.eye(4)[1]  # eight of class 0 turned wrong
    logits[100], changed[101] = 5 * np.eye(4)[0], 5 * np.eye(4)[0]  # class 1: one better, one worse
    changes = of(logits, changed, labels).per_class
    assert [(change.index, change.samples, change.worse, change.better) for change in changes] == [
        (0, 100, 8, 0),
        (1, 100, 1, 1),
    ]
    assert changes[0].mcnemar_p == pytest.approx(2 / 2**8)
    assert changes[0].holm_p == pytest.approx(4 * 2 / 2**8)  # the smallest of four classes
    assert changes[1].mcnemar_p == changes[1].holm_p == 1


def test_only_a_hundred_flips_are_listed_and_all_are_counted():
    logits = np.tile([5.0, 0.0], (500, 1))
    output = of(logits, logits[:, ::-1].copy(), np.zeros(500, int))
    assert (output.flip_count, len(output.flips), output.agreement) == (500, 100, 0)
    assert output.flips[0].reference_confidence == pytest.approx(1 / (1 + math.exp(-5)))


def test_a_comparison_repeats_to_the_byte_and_survives_json():
    generator = np.random.default_rng(6)
    values = {"a": generator.normal(0, 1, (300, 3)), "b": generator.normal(0, 1, (300, 2, 2))}
    noisy = {name: array + generator.normal(0, 0.1, array.shape) for name, array in values.items()}
    targets = {"a": Targets(kind=TargetKind.CLASS, values=values["a"].argmax(axis=1))}
    written = [
        msgspec.json.encode(compare(values, noisy, targets=targets, tier=Tier.QUANTIZED)) for _ in range(2)
    ]
    assert written[0] == written[1]
    read = msgspec.json.decode(written[0], type=Comparison)
    assert msgspec.json.encode(read) == written[0]
    assert read.deciding.verdict is read.verdict


def test_what_cannot_be_given_in_numbers_is_left_out_of_the_json():
    truth = np.linspace(0, 1, 50)
    targets = {"": Targets(kind=TargetKind.VALUES, values=truth)}
    comparison = compare({"y": truth}, {"y": truth + 1}, targets=targets, tier=Tier.QUANTIZED)
    read = msgspec.json.decode(msgspec.json.encode(comparison), type=Comparison)
    assert read == comparison
    assert (read.verdict, read.deciding.error.increase_upper_percent) == (Verdict.FAIL, None)
