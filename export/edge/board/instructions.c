/* Counts the instructions of one inference, by a clock that QEMU lets tick with them (-icount shift=0). */
#include <stdint.h>
#include <stdio.h>

#include "golden/golden.h"
#include "infer.h"

#define SYST_CSR (*(volatile uint32_t *)0xE000E010)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018)
#define MOST 0xFFFFFFu
#define TURNS 5000000u

static uint8_t memory[MODEL_ARENA_BYTES + MODEL_ARENA_ALIGNMENT];
static int8_t output[MODEL_OUTPUT_BYTES];
static void start(void) {
    SYST_RVR = MOST;
    SYST_CVR = 0;
    SYST_CSR = 5;
    while (SYST_CVR == 0) {
    }
    (void)SYST_CSR; /* reading it clears the mark of a wrap */
}

/* Ticks since start(); one wrap of the clock can be told, which is 671 million instructions at 25 MHz. */
static uint32_t ticks(void) {
    const uint32_t now = MOST - SYST_CVR;
    return (SYST_CSR & (1u << 16)) != 0 ? now + MOST + 1 : now;
}

int main(void) {
    uint32_t known, taken, turns = TURNS;
    uint8_t *arena = memory;
    while ((uintptr_t)arena % MODEL_ARENA_ALIGNMENT != 0) {
        ++arena;
    }
    start();
    __asm__ volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(turns) : : "cc");
    known = ticks();
    start();
    model_infer(arena, golden_input[0], output);
    taken = ticks();
    printf("%.0f\n", (double)taken * 2.0 * TURNS / known); /* two instructions a turn */
    return golden_output[0][0] == output[0] ? 0 : 1;
}
