"""How models and their versions are called: the folders of a repository."""

import re

# A model is a folder of its name: nothing that could leave the repository or hide in it.
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

VERSION = re.compile(r"[1-9][0-9]{0,17}")
