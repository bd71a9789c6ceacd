/*
 * A log of records of 32 bytes, each appended and synced. The reader takes what the size says for
 * records (buggy), or stops at the first one whose sum does not fit (fixed).
 *   program run FORM      appends four records
 *   program check FORM    reads the log
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct record {
    uint32_t key;
    uint32_t sum;
    char value[24];
};

enum { RECORDS = 4 };

static int fail(const char *what)
{
    perror(what);
    return 127;
}

/* FNV-1a; not 0 for zeros. */
static uint32_t sum_of(const struct record *record)
{
    struct record copy = *record;
    copy.sum = 0;
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < sizeof copy; i++)
        sum = (sum ^ ((unsigned char *)&copy)[i]) * 16777619u;
    return sum;
}

static struct record nth(uint32_t n, int fixed)
{
    struct record record = { .key = n };
    snprintf(record.value, sizeof record.value, "value %u", n);
    if (fixed)
        record.sum = sum_of(&record);
    return record;
}

static int run(int fixed)
{
    int fd = open("log", O_WRONLY | O_CREAT | O_APPEND, 0644);
    int dir = open(".", O_RDONLY | O_DIRECTORY);
    if (fd < 0 || dir < 0 || fsync(dir) != 0)
        return fail("log");
    for (uint32_t n = 1; n <= RECORDS; n++) {
        struct record record = nth(n, fixed);
        if (write(fd, &record, sizeof record) != sizeof record || fdatasync(fd) != 0)
            return fail("append");
        printf("put %u\n", n);
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
    while (fscanf(marks, "put %u\n", &n) == 1)
        last = n;
    fclose(marks);
    return last;
}

static int check(int fixed)
{
    struct record found;
    unsigned acked = acknowledged(), n = 0;
    FILE *log = fopen("log", "r");

    while (log != NULL && fread(&found, sizeof found, 1, log) == 1) {
        if (fixed && found.sum != sum_of(&found))
            break;
        struct record expected = nth(++n, fixed);
        if (n > RECORDS || memcmp(&found, &expected, sizeof found) != 0) {
            printf("CORRUPT: record %u is key %u, which nobody put there\n", n, found.key);
            return 1;
        }
    }
    if (n < acked) {
        printf("LOST: %u records are readable, %u were acknowledged\n", n, acked);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int fixed = argc > 2 && strcmp(argv[2], "fixed") == 0;
    return strcmp(argv[1], "run") == 0 ? run(fixed) : check(fixed);
}
