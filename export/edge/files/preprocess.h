/* How pixels become the model's input. */
#ifndef MODEL_PREPROCESS_H
#define MODEL_PREPROCESS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Turn MODEL_INPUT_BYTES pixels of 0 to 255, row by row from the top left, into the model's input.
 * Write your own in place of preprocess.c and prove it: make verify PREPROCESS=yours.c && ./verify */
void model_input_from_pixels(const uint8_t *pixels, int8_t *input);

#ifdef __cplusplus
}
#endif

#endif
