"""The Open Inference Protocol over gRPC and REST: from a model repository to batched answers."""
