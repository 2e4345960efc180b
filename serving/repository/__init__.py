"""From a folder of published models to the versions that are served."""
