/* What WebAssembly exports of a model: its buffers, their sizes, and one inference. */
#include "infer.h"

static uint8_t arena[MODEL_ARENA_BYTES + MODEL_ARENA_ALIGNMENT] __attribute__((aligned(MODEL_ARENA_ALIGNMENT)));
static int8_t input[MODEL_INPUT_BYTES];
static int8_t output[MODEL_OUTPUT_BYTES];

#define EXPORTED(name) __attribute__((export_name(#name), used)) name

int EXPORTED(size_of)(int which) {
    return which == 0 ? MODEL_INPUT_BYTES : MODEL_OUTPUT_BYTES;
}

int8_t *EXPORTED(input_place)(void) {
    return input;
}

const int8_t *EXPORTED(output_place)(void) {
    return output;
}

void EXPORTED(answer)(void) {
    model_infer(arena, input, output);
}
