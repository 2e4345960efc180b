"""The wire: inference.proto and the stubs that `make proto` generates from it."""
