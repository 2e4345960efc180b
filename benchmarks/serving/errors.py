"""What can go wrong in a benchmark."""


class BenchmarkError(Exception):
    """It cannot go on; the message says why, and the mend."""
