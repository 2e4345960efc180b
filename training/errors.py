"""What can go wrong between data and the best checkpoint.

TrainingError
├── DatasetError  the data are missing, corrupt, or not what a model can learn from
├── RecipeError   a recipe or one of its settings does not exist or makes no sense
└── RecordError   a run directory is missing, incomplete or unreadable

Every message is one line that says what is wrong and what to do.
"""


class TrainingError(Exception):
    """Base of the training stage's errors."""


class DatasetError(TrainingError):
    """The data are missing, corrupt, or not what a model can learn from."""


class RecipeError(TrainingError):
    """A recipe or one of its settings does not exist or makes no sense."""


class RecordError(TrainingError):
    """A run directory is missing, incomplete or unreadable."""
