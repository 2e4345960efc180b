/* The least that a Cortex-M needs to run a C program under QEMU with semihosting. */
#include <stdint.h>
#include <stdlib.h>

#define MOST_ARGUMENTS 4
#define SYS_WRITE0 0x04
#define SYS_GET_CMDLINE 0x15
#define SYS_EXIT_EXTENDED 0x20
#define APPLICATION_EXIT 0x20026
#define FAULT_EXIT 99

extern uint32_t __stack_top, __data_load, __data_start, __data_end, __bss_start, __bss_end;
extern void initialise_monitor_handles(void);
extern int main(int argc, char **argv);

static char line[256];
static char *arguments[MOST_ARGUMENTS + 1];

static int semihost(int operation, void *block) {
    register int r0 __asm__("r0") = operation;
    register void *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static int split_command_line(void) {
    struct {
        char *text;
        int size;
    } block = {line, sizeof line};
    int count = 0;
    char *place = line;
    if (semihost(SYS_GET_CMDLINE, &block) != 0) {
        return 0;
    }
    while (*place != '\0' && count < MOST_ARGUMENTS) {
        arguments[count++] = place;
        while (*place != '\0' && *place != ' ') {
            ++place;
        }
        while (*place == ' ') {
            *place++ = '\0';
        }
    }
    return count;
}

/* Neither stack nor library may be trusted any more. */
static void fault(void) {
    static const uint32_t block[2] = {APPLICATION_EXIT, FAULT_EXIT};
    semihost(SYS_WRITE0, (void *)"the processor faulted\n");
    semihost(SYS_EXIT_EXTENDED, (void *)block);
    for (;;) {
    }
}

/* The clock's exception; a program that starts the clock has its own. */
void __attribute__((weak, alias("fault"))) systick(void);

void reset(void) {
    uint32_t *from = &__data_load, *to;
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: the floating-point unit, before code may use it */
    __asm__ volatile("dsb\n isb" : : : "memory");
#endif
    for (to = &__data_start; to < &__data_end;) {
        *to++ = *from++;
    }
    for (to = &__bss_start; to < &__bss_end;) {
        *to++ = 0;
    }
    initialise_monitor_handles();
    exit(main(split_command_line(), arguments));
}

void _init(void) {}
void _fini(void) {}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void)) & __stack_top, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, systick,
};
