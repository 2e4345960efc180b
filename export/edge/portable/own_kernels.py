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

MAX = """\
static void model_max(const int8_t *input, int8_t *output, int32_t positions, int32_t channels) {
    int32_t channel, place;
    for (channel = 0; channel < channels; ++channel) {
        int8_t highest = -128;
        for (place = 0; place < positions; ++place) {
            const int8_t number = input[place * channels + channel];
            highest = number > highest ? number : highest;
        }
        output[channel] = highest;
    }
}
"""

LOOKUP = """\
static void model_lookup(const int8_t *input, int8_t *output, int32_t count, const int8_t *table) {
    int32_t place;
    for (place = 0; place < count; ++place) {
        output[place] = table[input[place] + 128];
    }
}
"""

# The arithmetic of gemmlowp. e^-power: the series around -1/8 for what is above whole quarters, times one
# factor for every bit of these, e^(-1/4) ... e^-16. 1 / sum: three steps of Newton and Raphson.
# LiteRT's kernel takes sums up to 512 and else aborts its process.
SOFTMAX = """\
/* a * b / 2^31, rounded to the nearest. */
static int32_t model_product(int32_t a, int32_t b) {
    const int64_t product = (int64_t)a * b, half = INT64_C(1) << 30;
    return (int32_t)((product + (product >= 0 ? half : 1 - half)) / (INT64_C(1) << 31));
}

/* e^-(difference * multiplier * 2^(shift - 57)) as a fraction of 2^31; of too great a difference 0. */
static int32_t model_exp(int32_t difference, int32_t multiplier, int32_t shift, int32_t farthest) {
    static const int32_t factors[7] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t eighth = 1895147668; /* e^(-1/8) */
    int32_t power, quarters, x, square, third, bit, result;
    if (difference > farthest) {
        return 0;
    }
    power = -model_product(-(int32_t)((int64_t)difference << shift), multiplier); /* 2^26 is 1 */
    if (power == 0) {
        return INT32_MAX;
    }
    quarters = (power - 1) / (1 << 24);
    x = (1 << 28) - (power - quarters * (1 << 24)) * 32;
    square = model_product(x, x);
    third = model_product((model_product(square, square) + 2) / 4 + model_product(square, x), 715827883);
    result = eighth + model_product(eighth, x + (third + square + 1) / 2);
    for (bit = 0; bit < 7; ++bit) {
        if (quarters & (1 << bit)) {
            result = model_product(result, factors[bit]);
        }
    }
    return result;
}

static void model_softmax(const int8_t *input, int8_t *output, int32_t rows, int32_t width,
                          int32_t multiplier, int32_t shift, int32_t farthest) {
    for (; rows > 0; --rows, input += width, output += width) {
        int32_t place, half, inverse, highest = -128, places = 34;
        uint32_t sum = 0; /* 2^19 is 1; from 512 on no score is as much as half of a step */
        for (place = 0; place < width; ++place) {
            highest = input[place] > highest ? input[place] : highest;
        }
        for (place = 0; place < width && sum >> 28 == 0; ++place) {
            sum += ((uint32_t)model_exp(highest - input[place], multiplier, shift, farthest) + 2048) >> 12;
        }
        for (half = (int32_t)sum; half < 1 << 30; half *= 2) {
            --places;
        }
        inverse = 1515870810 + model_product(half, -1010580540); /* 48/17 - 32/17 * half; 2^29 is 1 */
        for (place = 0; place < 3; ++place) {
            inverse += model_product(inverse, (1 << 29) - model_product(half, inverse)) * 4;
        }
        inverse = inverse < 1 << 30 ? inverse * 2 : INT32_MAX;
        for (place = 0; place < width; ++place) {
            const int32_t part = model_exp(highest - input[place], multiplier, shift, farthest);
            const uint32_t score = (uint32_t)model_product(inverse, part);
            const uint32_t steps = places > 31 ? 0 : (score + (UINT32_C(1) << (places - 1))) >> places;
            output[place] = (int8_t)(steps > 255 ? 127 : (int32_t)steps - 128);
        }
    }
}
"""
