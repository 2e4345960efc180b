#include "preprocess.h"

#include "model_settings.h"

void model_input_from_pixels(const uint8_t *pixels, int8_t *input) {
    int place;
    for (place = 0; place < MODEL_INPUT_BYTES; ++place) {
        input[place] = (int8_t)(pixels[place] - 128);
    }
}
