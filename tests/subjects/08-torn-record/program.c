/*
 * A control record of two sectors. It is written over the last one (buggy), or into the other one of
 * two slots in turn, so that the last one stays (fixed).
 *   program setup FORM    generation 0
 *   program run FORM      generations 1 to 3
 *   program check FORM    reads the newest generation
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOT = 4096, GENERATIONS = 3 };

struct control {
    uint32_t sum;
    uint32_t generation;
    uint32_t counters[254];
};

_Static_assert(sizeof(struct control) == 1024, "two sectors");

static int fail(const char *what)
{
    perror(what);
    return 127;
}

/* FNV-1a over all but the sum itself; not 0 for zeros. */
static uint32_t sum_of(const struct control *control)
{
    const unsigned char *byte = (const unsigned char *)&control->generation;
    const unsigned char *end = (const unsigned char *)(control + 1);
    uint32_t sum = 2166136261u;
    for (; byte < end; byte++)
        sum = (sum ^ *byte) * 16777619u;
    return sum;
}

static struct control make(uint32_t generation)
{
    struct control control = { .generation = generation };
    for (uint32_t i = 0; i < 254; i++)
        control.counters[i] = 1000 * generation + i;
    control.sum = sum_of(&control);
    return control;
}

static int put(int fd, uint32_t generation, int fixed)
{
    struct control control = make(generation);
    off_t at = fixed ? generation % 2 * SLOT : 0;
    return pwrite(fd, &control, sizeof control, at) == sizeof control && fdatasync(fd) == 0;
}

static int setup(int fixed)
{
    int fd = open("control", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    static const char zeros[2 * SLOT];
    if (fd < 0 || write(fd, zeros, sizeof zeros) != sizeof zeros || !put(fd, 0, fixed))
        return fail("control");
    return 0;
}

static int run(int fixed)
{
    int fd = open("control", O_WRONLY);
    for (uint32_t generation = 1; generation <= GENERATIONS; generation++) {
        if (!put(fd, generation, fixed))
            return fail("control");
        printf("generation %u\n", generation);
        fflush(stdout);
    }
    return 0;
}

static unsigned acknowledged(void)
{
    unsigned n, last = 0;
    FILE *marks = fopen(getenv("PLUGPULL_MARKS"), "r");
    if (marks == NULL)
        exit(fail("PLUGPULL_MARKS"));
    while (fscanf(marks, "generation %u\n", &n) == 1)
        last = n;
    fclose(marks);
    return last;
}

static int check(int fixed)
{
    unsigned acked = acknowledged();
    long newest = -1;
    int fd = open("control", O_RDONLY);

    for (int slot = 0; slot < (fixed ? 2 : 1); slot++) {
        struct control found;
        if (pread(fd, &found, sizeof found, slot * SLOT) != sizeof found)
            continue;
        if (found.sum == sum_of(&found) && (long)found.generation > newest)
            newest = found.generation;
    }
    if (newest < 0) {
        puts("TORN: no control record is whole");
        return 1;
    }
    if (newest < acked) {
        printf("LOST: generation %ld is there, %u was acknowledged\n", newest, acked);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int fixed = argc > 2 && strcmp(argv[2], "fixed") == 0;
    switch (argv[1][0]) {
    case 's':
        return setup(fixed);
    case 'r':
        return run(fixed);
    default:
        return check(fixed);
    }
}
