/* A profile that is saved by writing over the only copy (buggy) or by replacing the file (fixed). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 72, LINE = 64 };

static void check(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

/* 72 equal lines: more than a page. */
static void make_text(char *text, int version)
{
    for (int i = 0; i < LINES; i++, text += LINE) {
        memset(text, '.', LINE - 1);
        text[LINE - 1] = '\n';
        memcpy(text, "version N ", 10);
        text[8] = (char)('0' + version);
    }
}

static void write_synced(const char *name, int flags, const char *text)
{
    int fd = open(name, O_WRONLY | flags, 0644);
    check(fd >= 0, name);
    check(write(fd, text, LINES * LINE) == LINES * LINE, "write");
    check(fsync(fd) == 0, "fsync");
    close(fd);
}

static void sync_directory(void)
{
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    check(fd >= 0 && fsync(fd) == 0, "fsync of the directory");
    close(fd);
}

int main(int argc, char **argv)
{
    int fixed = argc > 1 && strcmp(argv[1], "fixed") == 0;
    static char text[LINES * LINE];

    for (int version = 1; version <= 3; version++) {
        make_text(text, version);
        if (fixed) {
            write_synced("profile.tmp", O_CREAT | O_TRUNC, text);
            check(rename("profile.tmp", "profile") == 0, "rename");
            sync_directory();
        } else {
            write_synced("profile", 0, text);
        }
        printf("saved %d\n", version);
        fflush(stdout);
    }
    return 0;
}
