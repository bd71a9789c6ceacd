/* Properties that are replaced: the old file is removed first (buggy), or by the rename itself (fixed). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 8, LINE = 64 };

static void check(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void write_synced(const char *name, int version)
{
    char text[LINES * LINE];
    for (int i = 0; i < LINES; i++) {
        char *line = text + i * LINE;
        memset(line, '.', LINE - 1);
        line[LINE - 1] = '\n';
        memcpy(line, "version N ", 10);
        line[8] = (char)('0' + version);
    }
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    check(fd >= 0, name);
    check(write(fd, text, sizeof text) == sizeof text, "write");
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

    for (int version = 1; version <= 3; version++) {
        write_synced("properties.new", version);
        if (!fixed)
            check(unlink("properties") == 0, "unlink");
        check(rename("properties.new", "properties") == 0, "rename");
        sync_directory();
        printf("saved %d\n", version);
        fflush(stdout);
    }
    return 0;
}
