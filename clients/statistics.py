"""What a server counts of its models, as a client reads it."""

from dataclasses import dataclass

from serving.proto import inference_pb2 as pb


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """How often something was done, and the seconds that it took together."""

    count: int
    seconds: float

    @property
    def mean_ms(self) -> float:
        """Milliseconds that it took on average, 0 if it never happened."""
        return self.seconds * 1000 / self.count if self.count else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatistics:
    """The runs of one batch size."""

    rows: int
    compute_input: Spent
    compute_infer: Spent
    compute_output: Spent


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatistics:
    """What is counted of one version of a model, since the server loaded it.

    Attributes:
        name: of the model.
        version: of the model.
        last_inference_ms: when a request last came, in milliseconds since 1970; 0 if none did.
        rows: that were answered.
        runs: of the model, each with a batch of rows.
        success: requests that were answered.
        fail: requests that were not.
        queue: their waiting.
        compute_input: joining them to batches.
        compute_infer: running the model.
        compute_output: handing the rows out.
        batches: by their size, the smallest first.
    """

    name: str
    version: str
    last_inference_ms: int
    rows: int
    runs: int
    success: Spent
    fail: Spent
    queue: Spent
    compute_input: Spent
    compute_infer: Spent
    compute_output: Spent
    batches: tuple[BatchStatistics, ...]

    @property
    def mean_batch(self) -> float:
        """Rows that a run had on average, 0 if there was none."""
        return self.rows / self.runs if self.runs else 0.0


def read_statistics(response: pb.ModelStatisticsResponse) -> tuple[ModelStatistics, ...]:
    """The statistics that a response holds."""
    return tuple(_model(each) for each in response.model_stats)


def _model(stats: pb.ModelStatistics) -> ModelStatistics:
    times = stats.inference_stats
    return ModelStatistics(
        name=stats.name,
        version=stats.version,
        last_inference_ms=stats.last_inference,
        rows=stats.inference_count,
        runs=stats.execution_count,
        success=_spent(times.success),
        fail=_spent(times.fail),
        queue=_spent(times.queue),
        compute_input=_spent(times.compute_input),
        compute_infer=_spent(times.compute_infer),
        compute_output=_spent(times.compute_output),
        batches=tuple(
            BatchStatistics(
                rows=batch.batch_size,
                compute_input=_spent(batch.compute_input),
                compute_infer=_spent(batch.compute_infer),
                compute_output=_spent(batch.compute_output),
            )
            for batch in sorted(stats.batch_stats, key=lambda batch: batch.batch_size)
        ),
    )


def _spent(duration: pb.StatisticDuration) -> Spent:
    return Spent(count=duration.count, seconds=duration.ns / 1e9)
