"""How a run's numbers read in a table."""

from collections.abc import Iterable

import msgspec

from training.record import Metrics

NONE = "-"


def metric_texts(metrics: Metrics) -> Iterable[tuple[str, str]]:
    """The metrics that the model's kind has, by name."""
    yield "samples", f"{metrics.samples:,}"
    yield "loss", f"{metrics.loss:.4f}"
    if metrics.accuracy is not None:
        yield "accuracy", result_text(metrics, interval=True)
    if metrics.rmse is not None:
        yield "RMSE", f"{metrics.rmse:.4g}"
    if metrics.mae is not None:
        yield "MAE", f"{metrics.mae:.4g}"


def result_text(metrics: Metrics | None, *, interval: bool = False) -> str:
    """The accuracy, if wanted with its interval; of a regression the error."""
    if metrics is None:
        return NONE
    if metrics.accuracy is None:
        return NONE if metrics.rmse is None else f"RMSE {metrics.rmse:.4g}"
    if not interval or metrics.accuracy_low is None or metrics.accuracy_high is None:
        return f"{metrics.accuracy:.2%}"
    return f"{metrics.accuracy:.2%} ({metrics.accuracy_low:.2%} to {metrics.accuracy_high:.2%})"


def duration_text(seconds: float | None) -> str:
    """Hours, minutes and seconds."""
    if not seconds:
        return NONE
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def plain_text(value: object) -> str:
    """A value as it would be written by hand: texts without quotes."""
    if value is None:
        return NONE
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
