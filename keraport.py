"""The root command."""
