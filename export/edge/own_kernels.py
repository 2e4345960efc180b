"""The kernels of infer.c that are our own: integers alone, no negative number shifted to the right."""

MEAN = """\
static void model_mean(const int8_t *input, int8_t *output, int32_t positions, int32_t channels,
                       int32_t input_zero_point, int32_t output_zero_point, int32_t multiplier,
                       int32_t shift) {
    const int32_t left = shift > 0 ? shift : 0, right = shift < 0 ? -shift : 0;
    int32_t channel, place;
    for (channel = 0; channel < channels; ++channel) {
        int32_t sum = -positions * input_zero_point;
        int64_t product, rounded;
        for (place = 0; place < positions; ++place) {
            sum += input[place * channels + channel];
        }
        product = (int64_t)sum * (INT64_C(1) << left) * multiplier;
        rounded = (product + (product >= 0 ? INT64_C(1) << 30 : 1 - (INT64_C(1) << 30))) / (INT64_C(1) << 31);
        if (right > 0) {
            const int64_t half = INT64_C(1) << (right - 1);
            rounded = rounded >= 0 ? (rounded + half) >> right : -((half - rounded) >> right);
        }
        rounded += output_zero_point;
        output[channel] = (int8_t)(rounded < -128 ? -128 : rounded > 127 ? 127 : rounded);
    }
}
"""
