/*
 * Settings that are replaced by the book, and what is done when fsync fails:
 *   buggy          nothing
 *   buggy-retry    it is tried again, and believed
 *   buggy-closed   nothing, and it always fails, since the descriptor is closed already
 *   fixed          the update fails and is not acknowledged
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 8, LINE = 64 };

static const char *form;

static int is(const char *name)
{
    return strcmp(form, name) == 0;
}

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
    if (is("buggy-closed")) {
        close(fd);
        fsync(fd);
        return;
    }
    int failed = fsync(fd) != 0;
    for (int tries = 0; failed && tries < 3 && is("buggy-retry"); tries++)
        failed = fsync(fd) != 0;
    close(fd);
    if (failed && !is("buggy")) {
        perror("fsync");
        unlink(name);
        exit(1);
    }
}

static void sync_directory(void)
{
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    check(fd >= 0 && fsync(fd) == 0, "fsync of the directory");
    close(fd);
}

int main(int argc, char **argv)
{
    form = argc > 1 ? argv[1] : "fixed";
    for (int version = 1; version <= 2; version++) {
        write_synced("settings.tmp", version);
        check(rename("settings.tmp", "settings") == 0, "rename");
        sync_directory();
        printf("saved %d\n", version);
        fflush(stdout);
    }
    return 0;
}
