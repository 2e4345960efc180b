"""What a model file, a version or a run holds, read without running it."""
