"""Those who use a published model: the Python client and its commands."""
