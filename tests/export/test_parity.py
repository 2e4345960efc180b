import numpy as np
import pytest

from export.formats import Tier
from export.parity import compare, meaning
from export.verdict import Verdict, worst

SAMPLES = 10_000


@pytest.fixture
def reference():
    """A classifier that is right on 9,900 of 10,000 samples: its logits, and the labels."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, SAMPLES)
    answers = labels.copy()
    answers[:100] = (labels[:100] + 1) % 10
    logits = generator.normal(0, 1, (SAMPLES, 10)).astype(np.float32)
    logits[np.arange(SAMPLES), answers] = 8
    return {"logits": logits}, labels


def turned_wrong(logits, labels, count):
    """A copy that answers `count` of the reference's right samples wrongly, and little else changed."""
    changed = logits.copy()
    for row in range(200, 200 + count):
        changed[row, (labels[row] + 1) % 10] = 8.01
    return changed


def test_the_reference_itself_passes_every_tier(reference):
    answers, labels = reference
    for tier in Tier:
        comparison = compare(answers, answers, labels=labels, tier=tier)
        assert comparison.verdict is Verdict.PASS
        assert (comparison.agreement, comparison.flips) == (1.0, ())
        assert comparison.accuracy.reference == comparison.accuracy.candidate == 0.99


# One-sided 95 % Tango bounds, points: 16:0 from 0.106, 12:0 from 0.075 to 0.194, 5:0 to 0.103, 4:0 to 0.089.
@pytest.mark.parametrize(
    ("count", "verdict"),
    [(16, Verdict.FAIL), (12, Verdict.INCONCLUSIVE), (5, Verdict.INCONCLUSIVE), (4, Verdict.PASS)],
)
def test_answers_turned_wrong_against_a_margin_of_a_tenth_of_a_point(reference, count, verdict):
    answers, labels = reference
    candidate = {"logits": turned_wrong(answers["logits"], labels, count)}
    comparison = compare(answers, candidate, labels=labels, tier=Tier.QUANTIZED, margin_points=0.1)
    assert comparison.verdict is verdict, comparison.reason
    assert (comparison.accuracy.worse, comparison.accuracy.better) == (count, 0)
    assert comparison.flips == tuple(range(200, 200 + count))


def test_a_scaled_kernel_shows_in_the_slope_before_a_class_flips(reference):
    answers, labels = reference
    candidate = {"logits": answers["logits"] * np.float32(1.02)}
    comparison = compare(answers, candidate, labels=labels, tier=Tier.QUANTIZED)
    assert comparison.agreement == 1.0
    assert comparison.slope == pytest.approx(1.02, abs=1e-4)
    assert comparison.verdict is Verdict.FAIL


def test_rounding_noise_does_not_fail_the_slope(reference):
    """Resampled equals: a candidate that differs by int8's rounding alone, drawn again and again."""
    answers, labels = reference
    step = (answers["logits"].max() - answers["logits"].min()) / 255
    generator = np.random.default_rng(1)
    for _ in range(50):
        rows = generator.integers(0, SAMPLES, SAMPLES)
        logits = answers["logits"][rows]
        noise = generator.uniform(-step, step, logits.shape).astype(np.float32)
        comparison = compare(
            {"logits": logits}, {"logits": logits + noise}, labels=labels[rows], tier=Tier.QUANTIZED
        )
        assert abs(comparison.slope - 1) < 0.005


@pytest.mark.parametrize(
    ("tier", "inside", "outside"), [(Tier.LOSSLESS, 7e-4, 9e-4), (Tier.HALF, 0.07, 0.09)]
)
def test_the_tolerance_grows_with_the_references_size(reference, tier, inside, outside):
    answers, labels = reference  # p99.9 of |logits| is 8
    for distance, verdict in [(inside, Verdict.PASS), (outside, Verdict.FAIL)]:
        candidate = {"logits": answers["logits"].copy()}
        candidate["logits"][5, 5] += distance
        assert compare(answers, candidate, labels=labels, tier=tier).verdict is verdict


def test_probabilities_are_held_to_their_own_tolerance(reference):
    logits = reference[0]["logits"].astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    answers = {"probabilities": shares.astype(np.float32)}
    candidate = {"probabilities": answers["probabilities"].copy()}
    candidate["probabilities"][0, 0] += 2e-5
    comparison = compare(answers, candidate, labels=reference[1], tier=Tier.LOSSLESS)
    assert comparison.verdict is Verdict.FAIL
    assert comparison.deltas[0].tolerance == 1e-5


def broken(values, **changes):
    values = values.copy()
    if "put" in changes:
        values[3, 3] = changes["put"]
    return values[: changes.get("rows")].astype(changes.get("dtype", values.dtype))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"put": np.nan}, "NaN or Inf"),
        ({"put": np.inf}, "NaN or Inf"),
        ({"rows": SAMPLES - 1}, "has shape"),
        ({"dtype": np.float64}, "is float64"),
    ],
)
def test_broken_answers_fail_every_tier(reference, changes, reason):
    answers, labels = reference
    for tier in Tier:
        comparison = compare(
            answers, {"logits": broken(answers["logits"], **changes)}, labels=labels, tier=tier
        )
        assert comparison.verdict is Verdict.FAIL
        assert reason in comparison.reason


def test_missing_strange_and_no_outputs_fail(reference):
    answers, labels = reference
    both = {**answers, "more": answers["logits"]}
    assert compare(both, answers, labels=labels, tier=Tier.LOSSLESS).verdict is Verdict.FAIL
    assert compare(both, answers, labels=labels, tier=Tier.QUANTIZED).verdict is Verdict.PASS
    assert compare(answers, both, labels=labels, tier=Tier.LOSSLESS).verdict is Verdict.FAIL
    assert compare(answers, {}, labels=labels, tier=Tier.QUANTIZED).verdict is Verdict.FAIL
    nothing = {"logits": np.zeros((0, 10), np.float32)}
    assert compare(nothing, nothing, labels=labels[:0], tier=Tier.LOSSLESS).verdict is Verdict.FAIL


def test_shifted_labels_do_not_pass_as_a_good_model(reference):
    answers, labels = reference
    comparison = compare(answers, answers, labels=(labels + 1) % 10, tier=Tier.QUANTIZED)
    assert comparison.accuracy.reference < 0.02


def test_without_labels_a_drop_cannot_be_excluded(reference):
    answers, _ = reference
    assert compare(answers, answers, labels=None, tier=Tier.QUANTIZED).verdict is Verdict.INCONCLUSIVE


def test_what_an_output_means_is_read_from_its_values(reference):
    logits = reference[0]["logits"]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert meaning(logits) == "logits"
    assert meaning(shares) == "probabilities"
    assert meaning(logits[:, :1]) == "values"


def test_the_worst_verdict_decides_and_nothing_at_all_fails():
    assert worst([Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL]) is Verdict.FAIL
    assert worst([Verdict.PASS, Verdict.INCONCLUSIVE]) is Verdict.INCONCLUSIVE
    assert worst([]) is Verdict.FAIL
    assert [verdict.exit_code for verdict in Verdict] == [0, 1, 3, 1]
