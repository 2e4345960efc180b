from serving.model_statistics import statistics_message
from serving.statistics import BatchRun, Reason, Statistics


def test_the_message_counts_as_triton_does() -> None:
    statistics = Statistics()
    counts = statistics.of("digits", "2")
    run = BatchRun(rows=5, input_s=0.001, infer_s=0.004, output_s=0.0005)
    counts.add_run(run)
    counts.add_success(rows=2, total_s=0.01, queue_s=0.002, run=run)
    counts.add_success(rows=3, total_s=0.02, queue_s=0.0, run=run)
    counts.add_failure(Reason.OTHER, total_s=0.5)
    counts.add_failure(Reason.CANCELED, total_s=0.25)
    (model,) = statistics_message(statistics.snapshot()).model_stats
    assert (model.name, model.version) == ("digits", "2")
    assert (model.inference_count, model.execution_count) == (5, 1)
    assert 1.6e12 < model.last_inference < 1e13  # milliseconds since 1970
    stats = model.inference_stats
    assert (stats.success.count, stats.success.ns) == (2, 30_000_000)
    assert (stats.fail.count, stats.fail.ns) == (2, 750_000_000)
    assert (stats.queue.count, stats.queue.ns) == (2, 2_000_000)
    assert (stats.compute_infer.count, stats.compute_infer.ns) == (2, 8_000_000)
    (batch,) = model.batch_stats
    assert (batch.batch_size, batch.compute_infer.count, batch.compute_infer.ns) == (5, 1, 4_000_000)
    assert (batch.compute_input.ns, batch.compute_output.ns) == (1_000_000, 500_000)


def test_a_model_that_was_never_asked_has_zeros() -> None:
    statistics = Statistics()
    statistics.serve("digits", "1", lambda: 0)
    (model,) = statistics_message(statistics.snapshot()).model_stats
    assert (model.last_inference, model.inference_stats.success.count, len(model.batch_stats)) == (0, 0, 0)
