import numpy as np
import pytest

from export.formats import Tier
from export.parity.compare import TargetKind, Targets, compare, meaning
from export.verdict import Verdict, worst

SAMPLES = 10_000


def classes(labels):
    return {"": Targets(kind=TargetKind.CLASS, values=labels)}


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
        comparison = compare(answers, answers, targets=classes(labels), tier=tier)
        assert comparison.verdict is Verdict.PASS
        output = comparison.deciding
        assert (output.agreement, output.flip_count, output.flips) == (1.0, 0, ())
        assert output.accuracy.reference == output.accuracy.candidate == 0.99


# One-sided 95 % Tango bounds, points: 16:0 from 0.106, 12:0 from 0.075 to 0.194, 5:0 to 0.103, 4:0 to 0.089.
@pytest.mark.parametrize(
    ("count", "verdict"),
    [(16, Verdict.FAIL), (12, Verdict.INCONCLUSIVE), (5, Verdict.INCONCLUSIVE), (4, Verdict.PASS)],
)
def test_answers_turned_wrong_against_a_margin_of_a_tenth_of_a_point(reference, count, verdict):
    answers, labels = reference
    candidate = {"logits": turned_wrong(answers["logits"], labels, count)}
    comparison = compare(answers, candidate, targets=classes(labels), tier=Tier.QUANTIZED, margin_points=0.1)
    assert comparison.verdict is verdict, comparison.reason
    output = comparison.deciding
    assert (output.accuracy.worse, output.accuracy.better, output.flip_count) == (count, 0, count)
    assert [flip.index for flip in output.flips] == list(range(200, 200 + count))
    assert output.flips[0].reference == output.flips[0].label == labels[200]
    assert output.flips[0].candidate == (labels[200] + 1) % 10
    assert (comparison.verdict.exit_code == 0) is (count == 4)


def test_a_scaled_kernel_shows_in_the_slope_before_a_class_flips(reference):
    answers, labels = reference
    candidate = {"logits": answers["logits"] * np.float32(1.02)}
    comparison = compare(answers, candidate, targets=classes(labels), tier=Tier.QUANTIZED)
    assert comparison.deciding.agreement == 1.0
    assert comparison.deciding.slope == pytest.approx(1.02, abs=1e-4)
    assert comparison.verdict is Verdict.FAIL
    assert "slope" in comparison.reason


def test_one_scaled_kernel_of_several_layers_shows():
    generator = np.random.default_rng(2)
    pixels = generator.uniform(0, 1, (2_000, 30))
    kernels = [generator.normal(0, 0.3, shape) for shape in ((30, 20), (20, 20), (20, 10))]

    def logits(first, second, third):
        hidden = np.maximum(np.maximum(pixels @ first + 0.1, 0) @ second + 0.1, 0)
        return {"logits": (hidden @ third).astype(np.float32)}

    answers = logits(*kernels)
    labels = answers["logits"].argmax(axis=1)
    scaled = logits(kernels[0], 1.02 * kernels[1], kernels[2])
    for tier in Tier:
        assert compare(answers, scaled, targets=classes(labels), tier=tier).verdict is Verdict.FAIL


def test_rounding_noise_does_not_fail_the_slope(reference):
    """Resampled equals: a candidate that differs by int8's rounding alone, drawn again and again."""
    answers, _ = reference
    step = (answers["logits"].max() - answers["logits"].min()) / 255
    generator = np.random.default_rng(1)
    for _ in range(50):
        rows = generator.integers(0, SAMPLES, SAMPLES)
        logits = answers["logits"][rows]
        noise = generator.uniform(-step, step, logits.shape).astype(np.float32)
        comparison = compare({"logits": logits}, {"logits": logits + noise}, targets={}, tier=Tier.QUANTIZED)
        assert abs(comparison.deciding.slope - 1) < 0.005


@pytest.mark.parametrize(
    ("tier", "inside", "outside"), [(Tier.LOSSLESS, 7e-4, 9e-4), (Tier.HALF, 0.07, 0.09)]
)
def test_the_tolerance_grows_with_the_references_size(reference, tier, inside, outside):
    answers, labels = reference  # p99.9 of |logits| is 8
    for distance, verdict in [(inside, Verdict.PASS), (outside, Verdict.FAIL)]:
        candidate = {"logits": answers["logits"].copy()}
        candidate["logits"][5, 5] += distance
        assert compare(answers, candidate, targets=classes(labels), tier=tier).verdict is verdict


def test_probabilities_are_held_to_their_own_tolerance(reference):
    logits = reference[0]["logits"].astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    answers = {"probabilities": shares.astype(np.float32)}
    candidate = {"probabilities": answers["probabilities"].copy()}
    candidate["probabilities"][0, 0] += 2e-5
    comparison = compare(answers, candidate, targets=classes(reference[1]), tier=Tier.LOSSLESS)
    assert comparison.verdict is Verdict.FAIL
    assert comparison.deciding.tolerance == 1e-5


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
            answers, {"logits": broken(answers["logits"], **changes)}, targets=classes(labels), tier=tier
        )
        assert comparison.verdict is Verdict.FAIL
        assert reason in comparison.reason


def test_missing_strange_and_no_outputs_fail(reference):
    answers, labels = reference
    both = {**answers, "more": answers["logits"]}
    assert compare(both, answers, targets=classes(labels), tier=Tier.LOSSLESS).verdict is Verdict.FAIL
    assert compare(both, answers, targets=classes(labels), tier=Tier.QUANTIZED).verdict is Verdict.PASS
    assert compare(answers, both, targets=classes(labels), tier=Tier.LOSSLESS).verdict is Verdict.FAIL
    assert compare(answers, {}, targets=classes(labels), tier=Tier.QUANTIZED).verdict is Verdict.FAIL
    nothing = {"logits": np.zeros((0, 10), np.float32)}
    assert compare(nothing, nothing, targets=classes(labels[:0]), tier=Tier.LOSSLESS).verdict is Verdict.FAIL


def test_shifted_labels_do_not_pass_as_a_good_model(reference):
    answers, labels = reference
    comparison = compare(answers, answers, targets=classes((labels + 1) % 10), tier=Tier.QUANTIZED)
    assert comparison.deciding.accuracy.reference < 0.02
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "these labels cannot show a drop" in comparison.reason


def test_labels_of_one_class_cannot_show_a_drop(reference):
    logits = reference[0]["logits"]
    one = np.full(SAMPLES, 3)
    answers = {"logits": logits.copy()}
    answers["logits"][:, 3] += 20
    comparison = compare(answers, answers, targets=classes(one), tier=Tier.QUANTIZED)
    assert comparison.deciding.accuracy.constant == comparison.deciding.accuracy.reference == 1
    assert comparison.verdict is Verdict.INCONCLUSIVE
    # Without labels a model that always gives one answer agrees too.
    comparison = compare(answers, answers, targets={}, tier=Tier.QUANTIZED)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert "the same answer" in comparison.reason


# Of 10,000 with a share of 0.5 %, summed in whole numbers: P(X ≤ 38) = 0.0470 and P(X ≤ 39) = 0.0641,
# P(X ≥ 62) = 0.0552 and P(X ≥ 63) = 0.0420.
@pytest.mark.parametrize(
    ("count", "verdict"),
    [(38, Verdict.PASS), (39, Verdict.INCONCLUSIVE), (62, Verdict.INCONCLUSIVE), (63, Verdict.FAIL)],
)
def test_without_labels_agreement_decides(reference, count, verdict):
    answers, labels = reference
    candidate = {"logits": turned_wrong(answers["logits"], labels, count)}
    comparison = compare(answers, candidate, targets={}, tier=Tier.QUANTIZED)
    assert comparison.verdict is verdict, comparison.reason
    output = comparison.deciding
    assert (output.accuracy, output.flip_count, output.disagreement.margin_points) == (None, count, 0.5)
    assert output.agreement == 1 - count / SAMPLES
    generous = compare(answers, candidate, targets={}, tier=Tier.QUANTIZED, margin_points=1)
    assert generous.verdict is Verdict.PASS


def test_an_inconclusive_verdict_says_how_many_samples_would_decide(reference):
    answers, labels = reference
    rows = slice(0, 1_000)  # without any flip, 1,351 samples are enough
    few = {"logits": answers["logits"][rows]}
    comparison = compare(few, few, targets=classes(labels[rows]), tier=Tier.QUANTIZED)
    assert comparison.verdict.exit_code == 3
    assert comparison.deciding.accuracy.samples_needed == 1_351
    assert comparison.reason == (
        "the drop may be -0.270 to 0.270 points (margin 0.2): 1,000 samples cannot decide, "
        "about 1,400 at these rates would"
    )
    candidate = {"logits": turned_wrong(answers["logits"], labels, 20)}
    comparison = compare(answers, candidate, targets=classes(labels), tier=Tier.QUANTIZED)
    assert comparison.deciding.accuracy.samples_needed is None
    assert "no number would at these rates" in comparison.reason
    comparison = compare(few, few, targets={}, tier=Tier.HALF, margin_points=0.1)
    assert comparison.deciding.disagreement.samples_needed == 2_995  # ln 0.05 / ln 0.999


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
