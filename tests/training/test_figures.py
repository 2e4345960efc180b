import io

import numpy as np
import pytest
from PIL import Image

from training.calibration import calibrate
from training.confusion import count_confusions
from training.figures import evaluation_figures
from training.mistakes import most_confident_mistakes

PROBABILITIES = np.array([[0.9, 0.1], [0.3, 0.7], [0.8, 0.2], [0.45, 0.55], [1.0, 0.0]])
LABELS = np.array([0, 0, 1, 1, 0])


def answers(classes, samples, *, skill=2.0):
    """Labels and the probabilities of a model that is right the more often, the more skill it has."""
    generator = np.random.default_rng(7)
    labels = generator.integers(0, classes, samples)
    logits = generator.normal(size=(samples, classes))
    logits[np.arange(samples), labels] += skill
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), labels


def pictures(samples, *shape):
    return np.random.default_rng(8).integers(0, 256, (samples, *shape)).astype(np.uint8)


def test_confusions_are_counted_by_true_and_predicted_class():
    predicted, labels = np.array([0, 2, 2, 1, 0]), np.array([0, 1, 2, 1, 2])
    counts = count_confusions(predicted, labels, np.arange(3))
    assert counts.tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 1]]
    assert count_confusions(predicted, labels, np.array([0, 2])).tolist() == [[1, 0], [1, 1]]


def test_the_surest_mistake_comes_first():
    assert most_confident_mistakes(PROBABILITIES, LABELS).tolist() == [2, 1]


def test_the_calibration_error_is_that_of_arithmetic_by_hand():
    calibration = calibrate(PROBABILITIES, LABELS, bins=2)
    assert calibration.counts.tolist() == [0, 5]
    assert calibration.error == pytest.approx(abs(3 / 5 - (0.9 + 0.7 + 0.8 + 0.55 + 1.0) / 5))
    fine = calibrate(PROBABILITIES, LABELS, bins=10)
    assert fine.counts.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert fine.error == pytest.approx((0.45 + 0.7 + 0.8 + 0.1 + 0.0) / 5)


def test_a_confidence_between_two_bins_belongs_to_the_lower_one():
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75], [0.0, 1.0]])
    assert calibrate(probabilities, np.ones(3, np.int64), bins=4).counts.tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("classes", "shape"), [(2, (12, 30, 3)), (10, (28, 28, 1)), (40, (30, 12, 1)), (130, (8, 8, 3))]
)
def test_every_figure_is_drawn(classes, shape):
    probabilities, labels = answers(classes, 400)
    names = [f"class $x^ [{index}]\nwith a long name" for index in range(classes)]
    figures = evaluation_figures(probabilities, labels, names, pictures(400, *shape))
    assert set(figures) == {"confusion.png", "calibration.png", "mistakes.png"}
    for content in figures.values():
        with Image.open(io.BytesIO(content)) as figure:
            assert (figure.format, len(np.unique(np.asarray(figure.convert("L")))) > 50) == ("PNG", True)


def test_more_classes_make_a_larger_matrix():
    widths = []
    for classes in (2, 30):
        content = evaluation_figures(*answers(classes, 200), list(map(str, range(classes))), None)
        with Image.open(io.BytesIO(content["confusion.png"])) as figure:
            widths.append(figure.width)
    assert widths[0] < widths[1]


@pytest.mark.parametrize(
    ("skill", "images"),
    [(2.0, None), (2.0, pictures(50, 8, 8, 2)), (2.0, pictures(50, 8)), (99.0, pictures(50, 8, 8, 1))],
)
def test_without_images_or_mistakes_there_is_no_gallery(skill, images):
    figures = evaluation_figures(*answers(3, 50, skill=skill), ["a", "b", "日本"], images)
    assert set(figures) == {"confusion.png", "calibration.png"}


def test_a_single_sample_and_a_class_without_samples_are_drawn():
    figures = evaluation_figures(*answers(3, 1, skill=-9.0), ["a", "b", "c"], pictures(1, 8, 8, 1))
    assert len(figures) == 3


@pytest.mark.parametrize(
    ("probabilities", "labels", "images", "message"),
    [
        (PROBABILITIES, LABELS[:4], None, "5, 2"),
        (PROBABILITIES[:0], LABELS[:0], None, "0 labels"),
        (PROBABILITIES[:, :1], LABELS, None, "2 classes"),
        (PROBABILITIES, LABELS, pictures(4, 8, 8, 1), "4 images"),
        (PROBABILITIES * np.nan, LABELS, None, "outside 0 to 1"),
        (PROBABILITIES * 3, LABELS, None, "outside 0 to 1"),
    ],
)
def test_what_does_not_fit_together_is_refused(probabilities, labels, images, message):
    with pytest.raises(ValueError, match=message):
        evaluation_figures(probabilities, labels, ["a", "b"], images)
