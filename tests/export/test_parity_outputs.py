"""Outputs beside one row of logits: binary heads, several labels, values, classes, texts, several of them."""

import numpy as np
import pytest

from export.formats import Tier
from export.parity.compare import TargetKind, Targets, compare
from export.verdict import OutputKind, Verdict

SAMPLES = 2_000


@pytest.fixture
def generator():
    return np.random.default_rng(5)


def targets(kind, values):
    return Targets(kind=TargetKind(kind), values=values)


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def decide(reference, candidate, truth, tier=Tier.QUANTIZED, **options):
    """The comparison of one output called `y`, held to its targets."""
    given = {} if truth is None else {"y": truth}
    return compare({"y": reference}, {"y": candidate}, targets=given, tier=tier, **options)


@pytest.mark.parametrize("shape", [(SAMPLES,), (SAMPLES, 1)])
@pytest.mark.parametrize("probabilities", [True, False])
def test_a_binary_head_answers_yes_from_its_threshold_on(generator, shape, probabilities):
    scores = generator.normal(0, 3, shape).astype(np.float32)
    labels = (scores.ravel() >= 0).astype(np.int64)
    scores.ravel()[0], labels[0] = 0, 1  # the threshold itself is a yes
    reference = 1 / (1 + np.exp(-scores)) if probabilities else scores
    candidate = reference.copy()
    candidate.ravel()[:9] = (1 - reference if probabilities else -reference).ravel()[:9]
    comparison = decide(reference, candidate, targets("class", labels), margin_points=1.0)
    output = comparison.deciding
    assert output.kind is (OutputKind.PROBABILITIES if probabilities else OutputKind.LOGITS)
    assert (output.accuracy.reference, output.accuracy.worse, output.accuracy.better) == (1, 8, 0)
    assert output.flip_count == 8  # the first stays where it is, at the threshold
    assert output.flips[0].reference_confidence == pytest.approx(
        1 / (1 + np.exp(-abs(float(scores.ravel()[1])))), rel=1e-4
    )


def test_several_labels_are_right_only_together(generator):
    labels = generator.integers(0, 2, (SAMPLES, 4))
    reference = np.where(labels == 1, 0.9, 0.1).astype(np.float32)
    candidate = reference.copy()
    candidate[7, 1] = 1 - candidate[7, 1]
    candidate[9, [0, 3]] = 1 - candidate[9, [0, 3]]
    comparison = decide(reference, candidate, targets("multi_label", labels), margin_points=0.5)
    output = comparison.deciding
    assert (output.accuracy.worse, output.accuracy.better, output.flip_count) == (2, 0, 2)
    assert comparison.verdict is Verdict.PASS  # 2 of 2,000: at most 0.30 points
    assert [(flip.index, flip.position) for flip in output.flips] == [(7, 1), (9, 0), (9, 3)]
    assert output.flips[0].label == output.flips[0].reference == labels[7, 1]
    assert [(change.index, change.worse, change.samples) for change in output.per_class] == [
        (0, 1, SAMPLES),
        (1, 1, SAMPLES),
        (3, 1, SAMPLES),
    ]


def test_labels_without_scores_are_compared_as_they_are(generator):
    labels = generator.integers(0, 5, SAMPLES)
    candidate = labels.copy()
    candidate[:2] = (labels[:2] + 1) % 5
    for tier in Tier:
        assert (
            decide(labels, labels, targets("class", labels), tier, margin_points=1.0).verdict is Verdict.PASS
        )
    assert decide(labels, candidate, None, Tier.LOSSLESS).verdict is Verdict.FAIL
    output = decide(labels, candidate, targets("class", labels), margin_points=1.0).deciding
    assert (output.kind, output.accuracy.worse, output.max_abs) == (OutputKind.LABELS, 2, 1)
    assert (output.slope, output.kl_mean, output.calibration, output.error) == (None, None, None, None)


def test_texts_are_equal_or_not():
    words = np.array(["one", "two", "three", "four"] * 500)
    other = words.copy()
    other[3] = "fo"
    assert decide(words, words.astype("U9"), None, Tier.LOSSLESS).verdict is Verdict.PASS
    output = decide(words, other, None, Tier.LOSSLESS).deciding
    assert (output.verdict, output.flip_count) == (Verdict.FAIL, 1)
    assert (output.flips[0].reference, output.flips[0].candidate) == ("four", "fo")
    assert decide(words, other, None).verdict is Verdict.PASS  # 1 of 2,000: at most 0.24 %
    objects = words.astype(object)
    assert decide(objects, objects, None).verdict is Verdict.PASS
    objects[0] = b"one"
    assert decide(objects, objects, None).verdict is Verdict.PASS
    objects[0] = None
    assert "holds objects" in decide(objects, objects, None).reason
    assert decide(words, words.astype(bytes), None).verdict is Verdict.FAIL


# `own` is noise of the candidate alone, so that the increase has a spread.
@pytest.mark.parametrize(
    ("tier", "factor", "own", "verdict"),
    [
        (Tier.QUANTIZED, 1.02, 0.01, Verdict.PASS),
        (Tier.QUANTIZED, 1.045, 0.01, Verdict.INCONCLUSIVE),
        (Tier.QUANTIZED, 1.10, 0.01, Verdict.FAIL),
        (Tier.HALF, 1.005, 0.001, Verdict.PASS),
        (Tier.HALF, 1.02, 0.001, Verdict.FAIL),
    ],
)
def test_the_error_of_values_may_grow_by_a_few_per_cent(generator, tier, factor, own, verdict):
    truth = generator.normal(0, 1, (SAMPLES, 2))
    before = generator.normal(0, 0.1, truth.shape)
    after = factor * before + generator.normal(0, own, truth.shape)
    comparison = decide(truth + before, truth + after, targets("values", truth), tier)
    error = comparison.deciding.error
    assert comparison.verdict is verdict, comparison.reason
    mine = before[:, error.column]
    assert (error.metric, error.reference) == ("rmse", pytest.approx(np.sqrt((mine**2).mean())))
    by_hand = np.sqrt((after[:, error.column] ** 2).mean() / (mine**2).mean()) - 1
    assert error.increase_percent == pytest.approx(100 * by_hand)
    assert error.increase_lower_percent <= error.increase_percent <= error.increase_upper_percent


def test_the_bootstrap_bounds_are_those_of_the_normal_approximation(generator):
    """For many samples: the relative increase's standard error by the delta method."""
    truth = generator.normal(0, 1, (20_000, 1))
    before, after = (truth + generator.normal(0, 0.1, truth.shape) for _ in range(2))
    error = decide(before, after, targets("values", truth)).deciding.error
    x, y = ((before - truth) ** 2).ravel(), ((after - truth) ** 2).ravel()
    ratio = np.sqrt(y.mean() / x.mean())
    deviation = ratio / 2 * (y / y.mean() - x / x.mean()).std() / np.sqrt(len(x))
    assert error.increase_lower_percent == pytest.approx(100 * (ratio - 1 - 1.645 * deviation), abs=0.15)
    assert error.increase_upper_percent == pytest.approx(100 * (ratio - 1 + 1.645 * deviation), abs=0.15)


def test_an_undecided_error_says_how_many_samples_would_decide(generator):
    truth = generator.normal(0, 1, 400)
    before, after = (truth + generator.normal(0, scale, 400) for scale in (0.1, 0.104))
    comparison = decide(before, after, targets("values", truth))
    error = comparison.deciding.error
    assert comparison.verdict is Verdict.INCONCLUSIVE
    side = error.increase_upper_percent if error.increase_percent < 5 else error.increase_lower_percent
    width = (side - error.increase_percent) / (5 - error.increase_percent)
    assert error.samples_needed == pytest.approx(400 * width**2, abs=1)
    assert "400 samples cannot decide, about" in comparison.reason


def test_values_without_targets_may_stray_by_a_share_of_their_spread(generator):
    dense = generator.normal(3, 2, (SAMPLES, 4, 4, 2)).astype(np.float32)
    for share, verdict in [(0.04, Verdict.PASS), (0.06, Verdict.FAIL)]:
        noise = generator.normal(0, 2 * share, dense.shape).astype(np.float32)
        comparison = decide(dense, dense + noise, None)
        error = comparison.deciding.error
        assert comparison.verdict is verdict, comparison.reason
        assert error.metric == "relative distance"
        assert error.increase_percent == pytest.approx(100 * share, rel=0.02)


def test_pitfalls_of_values_are_never_a_silent_pass(generator):
    truth = generator.normal(0, 1, SAMPLES)
    exact = decide(truth, truth, targets("values", truth))
    assert (exact.verdict, exact.deciding.error.increase_percent) == (Verdict.PASS, 0)
    off = decide(truth, truth + 1e-9, targets("values", truth))
    assert (off.verdict, off.deciding.error.increase_percent) == (Verdict.FAIL, None)
    constant = np.full((SAMPLES, 1), 0.1)  # whose mean, rounded, is not 0.1
    assert decide(constant, constant, None).verdict is Verdict.PASS
    assert decide(constant, constant + 1e-3, None).verdict is Verdict.INCONCLUSIVE
    few = truth[:29]
    assert decide(few, few, targets("values", few)).verdict is Verdict.INCONCLUSIVE
    swapped = decide(truth, truth, targets("values", truth[::-1]))
    assert swapped.verdict is Verdict.INCONCLUSIVE
    assert "a constant answer's" in swapped.reason
    sparse = truth.copy()
    sparse[5] += 1  # the reference is wrong once: a third of the resamples lack it
    assert decide(sparse, truth, targets("values", truth)).verdict is Verdict.PASS
    assert decide(sparse, truth + 1e-3, targets("values", truth)).verdict is not Verdict.PASS


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_largest_numbers_of_a_dtype_are_compared_without_overflow(generator, dtype):
    top = np.finfo(dtype).max
    values = (generator.uniform(-1, 1, (SAMPLES, 3)) * top).astype(dtype)
    for tier in Tier:
        assert decide(values, values, targets("values", values), tier).verdict is Verdict.PASS
        assert decide(values, -values, None, tier).verdict is Verdict.FAIL
        assert decide(values[:, :, np.newaxis], -values[:, :, np.newaxis], None, tier).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("values", "kind", "truth", "reason"),
    [
        (np.zeros((5, 3)), "class", np.array([0, 1, 2, 3, 0]), "0 to 3, the output tells 3 classes apart"),
        (np.zeros((5, 3)), "class", np.array([0, 1, -1, 2, 0]), "-1 to 2"),
        (np.zeros((5, 1)), "class", np.array([0, 1, 2, 1, 0]), "0 to 2, the output tells 2 classes apart"),
        (np.zeros((5, 3)), "class", np.zeros(4, int), "not one class for each of 5 samples"),
        (np.zeros((5, 3)), "class", np.zeros(5), "not class indices"),
        (np.zeros((5, 3)), "class", np.full(5, np.nan), "NaN"),
        (np.zeros((5, 2, 2)), "class", np.zeros(5, int), "holds no score a class"),
        (np.zeros((5, 3)), "class", np.array(["a"] * 5), "holds texts"),
        (np.array(["a"] * 5), "class", np.zeros(5, int), "holds texts"),
        (np.zeros((5, 3)), "multi_label", np.full((5, 3), 2), "other numbers than 0 and 1"),
        (np.zeros((5, 3)), "multi_label", np.zeros((5, 2)), "(5, 2), the output (5, 3)"),
        (np.zeros((5, 3)), "values", np.zeros((5, 2)), "(5, 2), the output (5, 3)"),
        (np.zeros((5, 1)), "values", np.full(5, np.inf), "NaN or Inf"),
    ],
)
def test_targets_that_do_not_fit_fail(values, kind, truth, reason):
    for tier in Tier:
        comparison = decide(values, values, targets(kind, truth), tier)
        assert comparison.verdict is Verdict.FAIL
        assert reason in comparison.reason


def test_targets_of_unknown_or_lost_outputs_fail(generator):
    logits = generator.normal(0, 1, (SAMPLES, 3))
    other = generator.normal(0, 1, (SAMPLES, 2))
    truth = targets("class", logits.argmax(axis=1))
    both = {"a": logits, "b": other}
    for given, candidate, reason in [
        ({"c": truth}, both, "which is no output"),
        ({"a": truth}, {"b": other}, "outputs are missing: a"),
        ({"": truth, "a": truth}, both, "name them all"),
        ({"": targets("values", np.zeros((SAMPLES, 7)))}, both, "fit no single output"),
    ]:
        comparison = compare(both, candidate, targets=given, tier=Tier.QUANTIZED)
        assert comparison.verdict is Verdict.FAIL
        assert reason in comparison.reason


def test_probabilities_beside_their_logits_are_held_to_the_same_labels(generator):
    labels = generator.integers(0, 4, SAMPLES)
    logits = generator.normal(0, 1, (SAMPLES, 4))
    logits[np.arange(SAMPLES), labels] += 6
    swapped = logits.copy()
    swapped[:60] = swapped[:60, ::-1]
    reference = {"logits": logits, "probabilities": softmax(logits)}
    candidate = {"logits": logits, "probabilities": softmax(swapped)}
    truth = {"": targets("class", labels)}
    comparison = compare(reference, candidate, targets=truth, tier=Tier.QUANTIZED)
    first, second = comparison.outputs
    assert first.targets is second.targets is TargetKind.CLASS
    assert second.verdict is comparison.verdict is Verdict.FAIL
    assert comparison.deciding is second
    assert comparison.reason.startswith("probabilities: the drop is at least")
    alone = {"logits": logits}  # as an 8-bit file returns them
    assert compare(reference, alone, targets=truth, tier=Tier.LOSSLESS).verdict is Verdict.FAIL
    assert (
        compare(reference, alone, targets=truth, tier=Tier.QUANTIZED, margin_points=1).verdict is Verdict.PASS
    )


def test_the_worst_of_several_outputs_decides(generator):
    labels = generator.integers(0, 4, SAMPLES)
    logits = generator.normal(0, 1, (SAMPLES, 4))
    logits[np.arange(SAMPLES), labels] += 6
    boxes = generator.normal(0, 1, (SAMPLES, 2, 2))
    reference = {"boxes": boxes, "scores": logits}
    truth = {"scores": targets("class", labels)}
    fine = compare(reference, reference, targets=truth, tier=Tier.QUANTIZED)
    assert [output.verdict for output in fine.outputs] == [Verdict.PASS, Verdict.PASS]
    assert fine.deciding.output == "scores"
    strayed = {"boxes": boxes + generator.normal(0, 0.2, boxes.shape), "scores": logits}
    comparison = compare(reference, strayed, targets=truth, tier=Tier.QUANTIZED)
    assert comparison.verdict is Verdict.FAIL
    assert comparison.reason.startswith("boxes: the relative distance in column")


def test_one_sample_decides_nothing_but_what_tolerances_do(generator):
    one = generator.normal(0, 1, (1, 3))
    for truth in (targets("class", one.argmax(axis=1)), targets("values", one), None):
        assert decide(one, one, truth, Tier.LOSSLESS).verdict is Verdict.PASS
        for tier in (Tier.HALF, Tier.QUANTIZED):
            assert decide(one, one, truth, tier).verdict is Verdict.INCONCLUSIVE


def test_a_constant_candidate_never_passes(generator):
    labels = generator.integers(0, 4, SAMPLES)
    logits = generator.normal(0, 1, (SAMPLES, 4))
    logits[np.arange(SAMPLES), labels] += 6
    for truth in (targets("class", labels), None):
        for tier in Tier:
            assert decide(logits, np.zeros_like(logits), truth, tier).verdict is Verdict.FAIL
    constant = np.ones_like(logits)
    assert decide(constant, constant, targets("class", labels)).verdict is Verdict.INCONCLUSIVE
    assert decide(constant, constant, None).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("margin", [-0.1, 100.1, 1e300, float("nan"), float("inf")])
def test_a_margin_that_is_none_is_refused(margin):
    with pytest.raises(ValueError, match="give a number from 0 to 100"):
        decide(np.zeros((5, 3)), np.zeros((5, 3)), None, margin_points=margin)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.float32(3), "single number"),
        (np.zeros((5, 0)), "holds nothing"),
        (np.zeros(5, complex), "cannot compare"),
        (np.zeros(5, "datetime64[s]"), "cannot compare"),
    ],
)
def test_arrays_that_are_no_answers_fail(values, reason):
    comparison = decide(np.asarray(values), np.asarray(values), None, Tier.LOSSLESS)
    assert comparison.verdict is Verdict.FAIL
    assert reason in comparison.reason
    unequal = {"a": np.zeros((3, 2)), "b": np.zeros((4, 2))}
    assert compare(unequal, unequal, targets={}, tier=Tier.LOSSLESS).verdict is Verdict.FAIL
