/* The head of the self-contained rind: unpacks what is appended to it, once, and executes it.

   It is linked statically, so it needs nothing of the system but the kernel. What follows it in the
   file is a tar archive, compressed by gzip, and then the trailer. The archive has a Python with all
   that it needs, its C library and dynamic loader included; it goes to the user's cache directory,
   under a name that has its checksum, so that later starts find it there. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define FAILED 125 /* the exit status for what goes wrong before the command */
#define LONGEST 4000

struct trailer {
    uint64_t size; /* of the archive, in bytes */
    char name[48]; /* of the folder that it is unpacked into */
    char mark[8];
};
static const char MARK[8] = "rindtail";

static void format(char *path, const char *first, const char *second) {
    if (snprintf(path, LONGEST, "%s%s", first, second) >= LONGEST)
        path[0] = 0; /* which nothing can be made of */
}

/* Whether a folder is ours, and nobody else can write into it. */
static int is_ours(const char *path) {
    struct stat found;
    return lstat(path, &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == geteuid() &&
           !(found.st_mode & 022);
}

static int make_parents(char *path, mode_t mode) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int failed = mkdir(path, mode) && errno != EEXIST;
        *slash = '/';
        if (failed)
            return -1;
    }
    return 0;
}

static int write_file(gzFile archive, const char *path, long size, mode_t mode) {
    char buffer[512 * 64];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return -1;
    while (size > 0) {
        int wanted = size < (long)sizeof buffer ? (int)(size + 511) / 512 * 512 : (int)sizeof buffer;
        int got = gzread(archive, buffer, wanted);
        ssize_t kept = size < got ? size : got;
        if (got != wanted || write(fd, buffer, kept) != kept) {
            close(fd);
            return -1;
        }
        size -= kept;
    }
    return close(fd);
}

/* Unpack the regular files of a tar archive (POSIX ustar). */
static int unpack(int self, off_t start, const char *folder) {
    char header[512], path[LONGEST], name[260];
    int copy = dup(self);
    if (copy < 0 || lseek(copy, start, SEEK_SET) < 0)
        return -1;
    gzFile archive = gzdopen(copy, "rb");
    int done = archive ? 0 : -1;
    while (!done && gzread(archive, header, 512) == 512 && header[0]) {
        snprintf(name, sizeof name, "/%.155s%s%.100s", header + 345, header[345] ? "/" : "", header);
        format(path, folder, name);
        mode_t mode = strtol(header + 100, NULL, 8) & 0755;
        done = make_parents(path, 0700) ||
               write_file(archive, path, strtol(header + 124, NULL, 8), mode);
    }
    int saved = errno;
    if (archive)
        gzclose(archive);
    errno = saved;
    return done;
}

static int forget(const char *path, const struct stat *found, int kind, struct FTW *place) {
    (void)found, (void)kind, (void)place;
    return remove(path);
}

/* Have the archive's folder below another one; it is complete, or not there. */
static int furnish(int self, const struct trailer *trailer, off_t start, const char *base, char *folder) {
    char name[64], partial[LONGEST];
    snprintf(name, sizeof name, "/%.47s", trailer->name);
    format(folder, base, name);
    if (is_ours(folder))
        return is_ours(base) ? 0 : -1;
    format(partial, base, "/");
    if (make_parents(partial, 0700))
        return -1;
    if (!is_ours(base)) {
        errno = EPERM;
        return -1;
    }
    snprintf(name, sizeof name, "/.unpacking-%ld", (long)getpid());
    format(partial, base, name);
    if (unpack(self, start, partial) == 0 && rename(partial, folder) == 0)
        return 0;
    int saved = errno;
    nftw(partial, forget, 16, FTW_DEPTH | FTW_PHYS);
    errno = saved;
    return is_ours(folder) ? 0 : -1; /* another process was quicker */
}

static void execute(const char *folder, const char *called, int argc, char **argv) {
    char loader[LONGEST], libraries[LONGEST], python[LONGEST], start[LONGEST];
    format(loader, folder, "/lib/ld.so");
    format(libraries, folder, "/lib");
    format(python, folder, "/bin/python3");
    format(start, folder, "/start.pyc");
    char *fixed[] = {loader, "--library-path", libraries, "--argv0", python, python,
                     "-I",   "-S",             start,     (char *)called};
    size_t count = sizeof fixed / sizeof *fixed;
    char **words = malloc((count + argc + 1) * sizeof *words);
    if (!words)
        return;
    memcpy(words, fixed, sizeof fixed);
    memcpy(words + count, argv + 1, argc * sizeof *words); /* with the NULL at the end */
    execv(loader, words);
    free(words);
}

int main(int argc, char **argv) {
    const char *called = (const char *)getauxval(AT_EXECFN);
    struct trailer trailer;
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (self < 0) /* there may be no /proc */
        self = open(called, O_RDONLY | O_CLOEXEC);
    off_t end = self < 0 ? -1 : lseek(self, -(off_t)sizeof trailer, SEEK_END);
    if (end < 0 || read(self, &trailer, sizeof trailer) != sizeof trailer ||
        memcmp(trailer.mark, MARK, sizeof MARK)) {
        fprintf(stderr, "rind: cannot read its own file %s: copy it again\n", called);
        return FAILED;
    }
    char bases[4][LONGEST] = {{0}}, own[32], folder[LONGEST];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    snprintf(own, sizeof own, "/rind-%u", geteuid());
    if (cache && *cache == '/')
        format(bases[0], cache, "/rind");
    if (home && *home == '/' && access(home, F_OK) == 0) /* a home that is not there is not made */
        format(bases[1], home, "/.cache/rind");
    format(bases[2], "/var/tmp", own);
    format(bases[3], "/tmp", own);
    for (int i = 0; i < 4; i++) {
        if (!bases[i][0])
            continue;
        if (furnish(self, &trailer, end - (off_t)trailer.size, bases[i], folder) == 0)
            execute(folder, called, argc, argv); /* which only returns where it may not */
    }
    fprintf(stderr, "rind: cannot unpack itself, last into %s: %s; set XDG_CACHE_HOME to a folder that "
                    "can be written and executed from\n", bases[3], strerror(errno));
    return FAILED;
}
