"""The counts of models as the protocol's statistics message."""

from collections.abc import Iterable

from serving.proto import inference_pb2 as pb
from serving.statistics import BatchCounts, ModelCounts


def statistics_message(counts: Iterable[ModelCounts]) -> pb.ModelStatisticsResponse:
    """What `ModelStatistics` answers, as Triton counts: inferences are rows, executions are runs."""
    return pb.ModelStatisticsResponse(model_stats=[_model(each) for each in counts])


def _model(counts: ModelCounts) -> pb.ModelStatistics:
    answered = counts.succeeded
    return pb.ModelStatistics(
        name=counts.model,
        version=counts.version,
        last_inference=int(counts.last_s * 1000),
        inference_count=counts.rows,
        execution_count=counts.runs,
        inference_stats=pb.InferStatistics(
            success=_duration(answered, counts.succeeded_s),
            fail=_duration(sum(counts.failed.values()), counts.failed_s),
            queue=_duration(answered, counts.queue_s),
            compute_input=_duration(answered, counts.input_s),
            compute_infer=_duration(answered, counts.infer_s),
            compute_output=_duration(answered, counts.output_s),
        ),
        batch_stats=[_batch(rows, batch) for rows, batch in sorted(counts.batches.items())],
    )


def _batch(rows: int, batch: BatchCounts) -> pb.InferBatchStatistics:
    return pb.InferBatchStatistics(
        batch_size=rows,
        compute_input=_duration(batch.runs, batch.input_s),
        compute_infer=_duration(batch.runs, batch.infer_s),
        compute_output=_duration(batch.runs, batch.output_s),
    )


def _duration(count: int, seconds: float) -> pb.StatisticDuration:
    return pb.StatisticDuration(count=count, ns=round(seconds * 1e9))
