"""The Open Inference Protocol over gRPC: from a model repository to batched answers."""
