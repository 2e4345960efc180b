"""What both protocols, gRPC and REST, say of this server and hold its clients to."""

NAME = "keraport"

EXTENSIONS = (
    *("binary_tensor_data", "classification", "model_configuration", "model_repository"),
    *("schedule_policy", "statistics"),
)

MAX_ID_BYTES = 1024

# Of inputs, of outputs and of parameters in one request; no model is known to need as many.
MAX_NAMED = 1024

# Of values that do not come as raw or binary data: each is an object of Python's, and costs the loop 0.1 us.
MAX_TYPED_VALUES = 1 << 20

# Triton's parameters that change what a request means: whoever sends one must not be answered without it.
# Others, such as `triton_enable_empty_final_response`, change no value of the answer and are passed over.
SHARED_MEMORY = ("shared_memory_region", "shared_memory_offset", "shared_memory_byte_size")
SEQUENCE = ("sequence_id", "sequence_start", "sequence_end")

# All that a client is told of what is not its own doing.
INTERNAL_TEXT = "internal error: the server's log has the details"
