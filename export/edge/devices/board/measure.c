/* Measures one inference: the bytes of stack that it takes, by a pattern below the stack pointer, and its
 * instructions, by a clock that QEMU lets tick with them (-icount shift=0). Prints both. */
#include <stdint.h>
#include <stdio.h>

#include "golden/golden.h"
#include "infer.h"

#define SYST_CSR (*(volatile uint32_t *)0xE000E010)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018)
#define MOST 0xFFFFFFu
#define TURNS 5000000u
#define PATTERN 0xA5C3965Au
#define PAINTED 8192u /* words; sections.ld keeps four times as much free for stack and heap */

static uint8_t memory[MODEL_ARENA_BYTES + MODEL_ARENA_ALIGNMENT];
static int8_t output[MODEL_OUTPUT_BYTES];
static volatile uint32_t wraps;

/* The processor's exception of the clock, once in 671 million instructions at 25 MHz. */
void systick(void) {
    ++wraps;
}

static void start(void) {
    wraps = 0;
    SYST_RVR = MOST;
    SYST_CVR = 0;
    SYST_CSR = 7;
    while (SYST_CVR == 0) {
    }
}

static double ticks(void) {
    uint32_t before, now;
    do {
        before = wraps;
        now = MOST - SYST_CVR;
    } while (before != wraps);
    return (double)before * (MOST + 1.0) + now;
}

/* Bytes between the stack pointer at the call and the lowest word that has changed; nothing interrupts here. */
static uint32_t __attribute__((noinline)) stack_of(uint8_t *arena) {
    volatile uint32_t *top, *place;
    __asm__ volatile("mov %0, sp" : "=r"(top));
    for (place = top - PAINTED; place < top; ++place) {
        *place = PATTERN;
    }
    model_infer(arena, golden_input[0], output);
    for (place = top - PAINTED; place < top && *place == PATTERN;) {
        ++place;
    }
    return (uint32_t)(top - place) * sizeof *place;
}

int main(void) {
    uint32_t stack, turns = TURNS;
    double known, taken;
    uint8_t *arena = memory;
    while ((uintptr_t)arena % MODEL_ARENA_ALIGNMENT != 0) {
        ++arena;
    }
    stack = stack_of(arena);
    if (stack == PAINTED * sizeof(uint32_t)) {
        fprintf(stderr, "an inference takes more than %lu bytes of stack\n", (unsigned long)stack);
        return 1;
    }
    start();
    __asm__ volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(turns) : : "cc");
    known = ticks();
    start();
    model_infer(arena, golden_input[0], output);
    taken = ticks();
    printf("%.0f %lu\n", taken * 2.0 * TURNS / known, (unsigned long)stack); /* two instructions a turn */
    return 0;
}
