"""Where a candidate goes wrong, layer by layer."""
