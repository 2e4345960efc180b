"""The C without a runtime, made of the int8 file: what BakeNN generates, and steps of our own."""
