"""A model's settings: what could not work is refused when they are made."""

import pytest

from serving.settings import ModelSettings


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"max_batch_rows": 0}, "max_batch_rows must be 1 to 4,096"),
        ({"batch_rows": 0}, "batch_rows must be 1 to 4,096"),
        ({"batch_rows": 9, "max_batch_rows": 8}, "batch_rows must be 1 to max_batch_rows, 8, not 9"),
        ({"max_queue": 0}, "max_queue must be"),
        ({"max_queue_mib": 0}, "max_queue_mib must be"),
        ({"sessions": 0}, "sessions must be"),
        ({"intra_op_threads": 0}, "intra_op_threads must be"),
        ({"max_delay_ms": -1}, "max_delay_ms must be"),
        ({"max_delay_ms": float("nan")}, "max_delay_ms must be"),
        ({"default_timeout_ms": float("inf")}, "default_timeout_ms must be"),
        ({"padding_buckets": (4, 2)}, "padding_buckets must be"),
        ({"padding_buckets": (2, 2)}, "padding_buckets must be"),
        ({"padding_buckets": (0, 2)}, "padding_buckets must be"),
        ({"padding_buckets": (8,), "max_batch_rows": 7}, "padding_buckets must be 1 to max_batch_rows"),
        ({"priority_levels": 33}, "priority_levels must be"),
        ({"priority_levels": 2, "default_priority": 3}, "default_priority must be"),
        ({"default_priority": 1}, "default_priority must be"),
    ],
)
def test_impossible_settings_are_refused(settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        ModelSettings(**settings)


def test_the_default_settings_and_all_buckets_up_to_the_rows_are_fine():
    assert ModelSettings(max_batch_rows=8, padding_buckets=(1, 8)).padding_buckets == (1, 8)
