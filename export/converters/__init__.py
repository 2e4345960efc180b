"""From a checkpoint to each format: one file a format, and what they need."""
