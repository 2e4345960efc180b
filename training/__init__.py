"""Data sets, recipes, the training loop and the run record: from data to the best checkpoint."""
