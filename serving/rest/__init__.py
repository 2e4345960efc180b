"""The Open Inference Protocol as REST: JSON and the binary extension over HTTP."""
