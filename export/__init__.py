"""Converters, runners, parity, the manifest: from a checkpoint to a verified model repository."""
