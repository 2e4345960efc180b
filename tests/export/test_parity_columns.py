"""Columns, probabilities and small scores: faults that a scale shared by a whole output would hide."""

import numpy as np
import pytest

from export.formats import Tier
from export.parity.compare import TargetKind, Targets, compare
from export.parity.slopes import probability_slope
from export.verdict import Verdict

SAMPLES = 2_000
SEEDS = range(5)


def decide(reference, candidate, kind=None, truth=None, tier=Tier.QUANTIZED):
    given = {} if kind is None else {"y": Targets(kind=TargetKind(kind), values=truth)}
    return compare({"y": reference}, {"y": candidate}, targets=given, tier=tier)


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def sigmoid(logits):
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def eight_bits(probabilities):
    """As TFLite's int8 softmax and sigmoid answer."""
    return (np.clip(np.round(probabilities * 256), 0, 255) / 256).astype(np.float32)


def own_step(values):
    """As a quantizer that gives a tensor the scale of its largest number."""
    step = values.max() / 255
    return (np.round(values / step) * step).astype(np.float32)


def price_and_risk(seed, *more):
    """A price of a few hundred thousand and a risk of 0 to 1, what a model says of them, and the truth."""
    generator = np.random.default_rng(seed)
    truth = np.stack([generator.normal(3e5, 5e4, SAMPLES), generator.uniform(0, 1, SAMPLES), *more], axis=1)
    return truth, (truth + generator.normal(0, 0.1, truth.shape) * truth.std(axis=0)).astype(np.float32)


@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("dense", [True, False])
def test_one_destroyed_column_beside_a_larger_one_fails(tier, given, dense):
    truth, reference = price_and_risk(0)
    candidate = reference.copy()
    candidate[:, 1] = 0
    arrays = [
        array.reshape(SAMPLES // 4, 2, 2, 2) if dense else array for array in (reference, candidate, truth)
    ]
    comparison = decide(*arrays[:2], "values" if given else None, arrays[2], tier)
    if not given and not dense and tier is not Tier.LOSSLESS:  # rows that nothing is known of are scores
        assert comparison.verdict is not Verdict.PASS
        return
    assert comparison.verdict is Verdict.FAIL
    assert "in column 1" in comparison.reason
    if given or dense:
        assert comparison.deciding.error.column == 1


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("given", [True, False])
def test_equals_in_columns_of_unequal_scales_pass(seed, given):
    truth, reference = price_and_risk(seed, np.zeros(SAMPLES), np.full(SAMPLES, 7.3))
    generator = np.random.default_rng(seed + 100)
    noise = (1 + 1e-6 * generator.normal(0, 1, reference.shape)).astype(np.float32)
    if not given:  # without targets, rows alone would be scores of classes
        reference, noise, truth = (array[:, np.newaxis] for array in (reference, noise, truth))
    exact = reference * noise
    exact[..., 2] += 1e-7 * generator.normal(0, 1, exact.shape[:-1]).astype(np.float32)
    half = reference.copy()
    half[..., 0] /= 1e3  # what float16 can hold
    steps = np.maximum(np.ptp(reference, axis=0), 1e-9) / 255
    rounded = (np.round(reference / steps) * steps).astype(np.float32)
    kind = "values" if given else None
    assert decide(reference, exact, kind, truth, Tier.LOSSLESS).verdict is Verdict.PASS
    smaller = truth / [1e3, 1, 1, 1]
    comparison = decide(half, half.astype(np.float16).astype(np.float32), kind, smaller, Tier.HALF)
    assert comparison.verdict is Verdict.PASS, comparison.reason
    comparison = decide(reference, rounded, kind, truth)
    assert comparison.verdict is Verdict.PASS, comparison.reason


@pytest.mark.parametrize("seed", SEEDS)
def test_small_pixels_among_larger_ones_are_not_held_to_their_own_noise(seed):
    """An autoencoder's border: nearly 0 in the reference, rounded to 0 by a quantizer of the whole image."""
    generator = np.random.default_rng(seed)
    sizes = np.geomspace(1e-3, 1, 100)
    reference = (sizes * generator.uniform(0, 1, (SAMPLES, 1, 100))).astype(np.float32)
    noise = 2e-7 * generator.normal(0, 1, reference.shape).astype(np.float32)
    comparison = decide(reference, reference + noise, tier=Tier.LOSSLESS)
    assert comparison.verdict is Verdict.PASS, comparison.reason
    image = np.clip(sizes * 20, 0, 1).astype(np.float32) * generator.uniform(0, 1, (SAMPLES, 1, 100)).astype(
        np.float32
    )
    comparison = decide(image, np.round(image * 255).astype(np.float32) / 255)
    assert comparison.verdict is Verdict.PASS, comparison.reason
    broken = image.copy()
    broken[..., 70] = 0
    comparison = decide(image, broken)
    assert comparison.verdict is Verdict.FAIL
    assert comparison.deciding.error.column == 70


@pytest.mark.parametrize("seed", SEEDS)
def test_many_noisy_columns_do_not_fail_by_chance(seed):
    generator = np.random.default_rng(seed)
    truth = generator.normal(0, 1, (100, 300))
    reference = truth + generator.normal(0, 0.3, truth.shape)
    candidate = reference + generator.normal(0, 0.05, truth.shape)
    assert decide(reference, candidate, "values", truth).verdict is not Verdict.FAIL


@pytest.mark.parametrize("seed", SEEDS)
def test_one_label_of_small_scores_is_held_to_its_own_scale(seed):
    generator = np.random.default_rng(seed)
    logits = (generator.normal(0, 1, (SAMPLES, 3)) * [1e4, 1e4, 1]).astype(np.float32)
    labels = (logits >= 0).astype(int)
    broken = logits.copy()
    broken[:, 2] = np.abs(broken[:, 2]) / 2 * np.sign(logits[:, 2])  # every answer stays
    assert decide(logits, broken, "multi_label", labels, Tier.LOSSLESS).verdict is Verdict.FAIL
    noise = (1 + 1e-6 * generator.normal(0, 1, logits.shape)).astype(np.float32)
    assert decide(logits, logits * noise, "multi_label", labels, Tier.LOSSLESS).verdict is Verdict.PASS


def heads(seed, sort):
    """Logits, the head's function, labels, and how they are named."""
    generator = np.random.default_rng(seed)
    if sort == "softmax":
        labels = generator.integers(0, 10, SAMPLES)
        logits = generator.normal(0, 2, (SAMPLES, 10))
        logits[np.arange(SAMPLES), labels] += generator.uniform(4, 12, SAMPLES)
        return logits, softmax, "class", logits.argmax(axis=1)
    logits = generator.normal(0, 2.5, (SAMPLES, 1 if sort == "binary" else 5))
    labels = (logits >= 0).astype(int)
    return logits, sigmoid, *(("class", labels[:, 0]) if sort == "binary" else ("multi_label", labels))


def identity(values):
    return values


@pytest.mark.parametrize("sort", ["softmax", "binary", "labels"])
@pytest.mark.parametrize(
    ("factor", "rounding"),
    [
        *((factor, identity) for factor in (1.02, 1.1, 2, 0.3)),
        *((factor, rounding) for factor in (1.1, 2, 0.3) for rounding in (eight_bits, own_step)),
    ],
)
def test_a_scaled_kernel_shows_in_probabilities_alone(sort, factor, rounding):
    logits, head, kind, labels = heads(3, sort)
    comparison = decide(head(logits), rounding(head(factor * logits)), kind, labels)
    assert comparison.verdict is Verdict.FAIL
    slope = comparison.deciding.slope
    assert (slope > 1.05) if factor > 1.05 else slope == pytest.approx(factor, abs=0.005)


@pytest.mark.parametrize("sort", ["softmax", "binary", "labels"])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("noise", [0, 0.05, 0.15])
def test_noise_and_rounding_do_not_fail_the_slope_of_probabilities(sort, seed, noise):
    """Resampled equals, also of eight bits; `noise` is that of a quantized layer before the head."""
    logits, head, _, _ = heads(seed, sort)
    other = logits + np.random.default_rng(seed + 50).normal(0, noise, logits.shape)
    for rounding, limit in [(identity, 0.01), (eight_bits, 0.05), (own_step, 0.05)]:
        found = probability_slope(head(logits), rounding(head(other)), rows=sort == "softmax")
        assert found.rounded is (limit == 0.05)
        assert abs(found.slope - 1) - 3 * found.error <= limit
        assert abs(found.slope - 1) < limit


def test_certain_answers_have_no_slope():
    certain = np.eye(10, dtype=np.float32)[np.arange(SAMPLES) % 10]
    output = decide(certain, certain, "class", np.arange(SAMPLES) % 10).deciding
    assert (output.verdict, output.slope) == (Verdict.PASS, None)


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("scale", [5e-5, 1e-8])
def test_garbage_instead_of_tiny_scores_is_not_lossless(labelled, scale):
    generator = np.random.default_rng(0)
    logits, garbage = (generator.uniform(-scale, scale, (SAMPLES, 10)).astype(np.float32) for _ in range(2))
    given = ("class", logits.argmax(axis=1)) if labelled else (None, None)
    comparison = decide(logits, garbage, *given, Tier.LOSSLESS)
    assert comparison.verdict is Verdict.FAIL
    assert "is over" in comparison.reason
    values = logits.reshape(SAMPLES, 2, 5)
    assert decide(values, garbage.reshape(values.shape), tier=Tier.LOSSLESS).verdict is Verdict.FAIL
    assert decide(values[:, 0, 0], garbage[:, 0], tier=Tier.LOSSLESS).verdict is Verdict.FAIL


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("probabilities", [True, False])
def test_flips_that_rounding_does_not_explain_are_not_lossless(labelled, probabilities):
    """Scores that differ little beside what they share, so that their tolerance allows any answer."""
    generator = np.random.default_rng(1)
    classes = 1_000
    scores, garbage = (generator.uniform(-1, 1, (SAMPLES, classes)) for _ in range(2))
    if probabilities:
        scores, garbage = softmax(0.001 * scores), softmax(0.001 * garbage)
    else:
        scores, garbage = (8 + 3e-4 * values[:, :10] for values in (scores, garbage))
    given = ("class", scores.argmax(axis=1)) if labelled else (None, None)
    comparison = decide(scores, garbage, *given, Tier.LOSSLESS)
    output = comparison.deciding
    assert output.max_abs < output.tolerance
    assert comparison.verdict is Verdict.FAIL
    assert "by more than rounding" in comparison.reason


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scale", [1e-8, 5e-5, 1, 1e4])
def test_float_noise_is_lossless_at_every_scale(seed, scale):
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, scale, (SAMPLES, 10)).astype(np.float32)
    logits[: SAMPLES // 2] = np.maximum(logits[: SAMPLES // 2] - scale, 0)  # with many ties at 0
    noise = (1e-6 * scale * generator.normal(0, 1, logits.shape)).astype(np.float32)
    for given in (("class", logits.argmax(axis=1)), (None, None)):
        comparison = decide(logits, logits + noise, *given, Tier.LOSSLESS)
        assert comparison.verdict is Verdict.PASS, comparison.reason
    assert comparison.deciding.flip_count > 0
    shares, near = (softmax(values / scale * 5) for values in (logits, logits + noise))
    assert decide(shares, near, tier=Tier.LOSSLESS).verdict is Verdict.PASS
    labels = (logits >= 0).astype(int)
    assert decide(logits, logits + noise, "multi_label", labels, Tier.LOSSLESS).verdict is Verdict.PASS
    for values in (logits[:, 0], logits.reshape(SAMPLES, 5, 2)):
        moved = values + noise.reshape(SAMPLES, -1)[:, : values[0].size].reshape(values.shape)
        assert decide(values, moved, tier=Tier.LOSSLESS).verdict is Verdict.PASS
