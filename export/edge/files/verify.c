/* Runs the golden vectors and counts the bytes that differ: exit code 0 if none does, else 1.
 * verify INPUTS OUTPUTS runs a file of inputs, one after the other, and writes what they answer. */
#include <stdio.h>
#include <stdlib.h>

#include "golden/golden.h"
#include "infer.h"

#if GOLDEN_HAS_PIXELS
#include "preprocess.h"
#endif

#if GOLDEN_KIT_ID != MODEL_KIT_ID
#error "golden/golden.h and model_settings.h come from different kits: copy all files of one"
#endif

static uint8_t memory[MODEL_ARENA_BYTES + MODEL_ARENA_ALIGNMENT];
#if GOLDEN_HAS_PIXELS
static int8_t input[MODEL_INPUT_BYTES];
#endif
static int8_t output[MODEL_OUTPUT_BYTES];

static long differing(const int8_t *found, const int8_t *expected, int count) {
    long total = 0;
    int place;
    for (place = 0; place < count; ++place) {
        total += found[place] != expected[place];
    }
    return total;
}

static void report(const char *what, long count, long of, const char *unit, int first) {
    printf("%s: %ld of %ld %s differ", what, count, of, unit);
    if (count > 0) {
        printf(", first in vector %d", first);
    }
    printf("\n");
}

static int answer_file(uint8_t *arena, const char *from, const char *to) {
    static int8_t numbers[MODEL_INPUT_BYTES];
    FILE *inputs = fopen(from, "rb"), *outputs = fopen(to, "wb");
    int failed = inputs == NULL || outputs == NULL;
    while (!failed && fread(numbers, sizeof numbers, 1, inputs) == 1) {
        model_infer(arena, numbers, output);
        failed = fwrite(output, sizeof output, 1, outputs) != 1;
    }
    failed = (outputs != NULL && fclose(outputs) != 0) || failed;
    if (inputs != NULL) {
        failed = ferror(inputs) || failed;
        fclose(inputs);
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    long inputs = 0, outputs = 0, classes = 0;
    int first_input = -1, first_output = -1, first_class = -1, vector;
    uint8_t *arena = memory;
    while ((uintptr_t)arena % MODEL_ARENA_ALIGNMENT != 0) {
        ++arena;
    }
    if (argc != 1 && argc != 3) {
        fprintf(stderr, "usage: verify [INPUTS OUTPUTS]\n");
        return 2;
    }
    if (argc == 3) {
        return answer_file(arena, argv[1], argv[2]);
    }
    printf("%s version %d, %d golden vectors\n", MODEL_NAME, MODEL_VERSION, GOLDEN_COUNT);
    for (vector = 0; vector < GOLDEN_COUNT; ++vector) {
        long found;
#if GOLDEN_HAS_PIXELS
        model_input_from_pixels(golden_pixels[vector], input);
        found = differing(input, golden_input[vector], MODEL_INPUT_BYTES);
        inputs += found;
        first_input = found > 0 && first_input < 0 ? vector : first_input;
#endif
        model_infer(arena, golden_input[vector], output);
        found = differing(output, golden_output[vector], MODEL_OUTPUT_BYTES);
        outputs += found;
        first_output = found > 0 && first_output < 0 ? vector : first_output;
#if GOLDEN_HAS_CLASSES
        found = model_top(output) != golden_class[vector];
        classes += found;
        first_class = found > 0 && first_class < 0 ? vector : first_class;
#endif
    }
    if (GOLDEN_HAS_PIXELS) {
        report("preprocessing", inputs, (long)GOLDEN_COUNT * MODEL_INPUT_BYTES, "input bytes", first_input);
    }
    report("inference", outputs, (long)GOLDEN_COUNT * MODEL_OUTPUT_BYTES, "output bytes", first_output);
    if (GOLDEN_HAS_CLASSES) {
        report("classes", classes, GOLDEN_COUNT, "classes", first_class);
    }
    return inputs + outputs + classes == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
