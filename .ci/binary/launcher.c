/* The head of the self-contained rind: unpacks the archive appended to it, once, and executes it.

   It is linked statically, so it needs only the kernel. In the file, it is followed by a tar archive,
   compressed by gzip, and the trailer. The archive has a Python with its dependencies, including the
   C library and the dynamic loader. It is unpacked into the user's cache directory, under a name with
   its checksum, so that later starts find it there. */
#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define FAILED 125 /* the exit status for errors before the command */
#define LONGEST 4000
#define COMPLETE "/.complete" /* marks a complete tree */
#define MINUTE 60
#define DAY (24 * 3600)

struct trailer {
    uint64_t size; /* of the archive, in bytes */
    char name[48]; /* of the folder for the unpacked tree */
    char mark[8];
};
static const char MARK[8] = "rindtail";

static void format(char *path, const char *first, const char *second) {
    if (snprintf(path, LONGEST, "%s%s", first, second) >= LONGEST)
        path[0] = 0; /* an empty path, which no call accepts */
}

/* Whether a folder is ours, and no other user can write into it. */
static int is_ours(const char *path) {
    struct stat found;
    return lstat(path, &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == geteuid() &&
           !(found.st_mode & 022);
}

/* Whether only root and we can replace the file at a path without symbolic links: root or we own each
   folder above it, and nobody else can write there, unless the sticky bit protects other users' files.
   Otherwise, for root with a user's HOME, that user could fill the cache below it. */
static int is_above_others(const char *path) {
    char above[LONGEST];
    format(above, path, "");
    for (;;) {
        char *slash = strrchr(above, '/');
        if (!slash)
            return 0;
        slash[slash == above] = 0; /* the root keeps its name */
        struct stat found;
        int is_there = lstat(above, &found) == 0; /* a missing folder will be created by us */
        if (is_there ? !S_ISDIR(found.st_mode) ||
                           (found.st_uid != 0 && found.st_uid != geteuid()) ||
                           (found.st_mode & 022 && !(found.st_mode & S_ISVTX))
                     : errno != ENOENT)
            return 0;
        if (slash == above)
            return 1;
    }
}

/* Resolve the symbolic links of a folder's path, whose last parts need not exist. */
static int resolve(const char *path, char *resolved) {
    char there[LONGEST], found[PATH_MAX];
    format(there, path, "");
    for (;;) {
        if (realpath(there, found)) {
            if (found[1] == 0)
                found[0] = 0;
            format(resolved, found, path + strlen(there));
            return resolved[0] ? 0 : -1;
        }
        char *slash = strrchr(there, '/');
        if (errno != ENOENT || !slash)
            return -1;
        if (slash == there) { /* the root always exists */
            format(resolved, path, "");
            return 0;
        }
        *slash = 0;
    }
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

static volatile sig_atomic_t caught;

static void catch(int number) {
    caught = number;
}

/* Unpack the regular files of a tar archive (POSIX ustar), and then write the mark of completeness. */
static int unpack(int self, off_t start, const char *folder) {
    char header[512], path[LONGEST], name[260];
    int copy = dup(self);
    if (copy < 0 || lseek(copy, start, SEEK_SET) < 0)
        return -1;
    gzFile archive = gzdopen(copy, "rb");
    int done = archive ? 0 : -1;
    while (!done && !caught && gzread(archive, header, 512) == 512 && header[0]) {
        snprintf(name, sizeof name, "/%.155s%s%.100s", header + 345, header[345] ? "/" : "", header);
        format(path, folder, name);
        mode_t mode = strtol(header + 100, NULL, 8) & 0755;
        done = make_parents(path, 0700) ||
               write_file(archive, path, strtol(header + 124, NULL, 8), mode);
    }
    int saved = errno;
    if (archive)
        gzclose(archive);
    errno = caught ? EINTR : saved;
    if (done || caught)
        return -1;
    format(path, folder, COMPLETE);
    return close(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

static int forget(const char *path, const struct stat *found, int kind, struct FTW *place) {
    (void)found, (void)kind, (void)place;
    return remove(path);
}

static void discard(const char *path) {
    int saved = errno;
    nftw(path, forget, 16, FTW_DEPTH | FTW_PHYS);
    errno = saved;
}

/* Open a folder under a number above the standard streams', close-on-exec or not. */
static int open_folder(const char *path, int duplicate) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int high = fcntl(fd, duplicate, 10);
    close(fd);
    return high;
}

/* Lock a complete tree while we and the executed program run; return -1 if it is incomplete. */
static int enter(const char *folder) {
    char mark[LONGEST];
    struct stat found, held;
    format(mark, folder, COMPLETE);
    int fd = open_folder(folder, F_DUPFD);
    if (fd < 0)
        return -1;
    int locked = flock(fd, LOCK_SH | LOCK_NB);
    if ((locked && errno == EWOULDBLOCK) || !is_ours(folder) || stat(mark, &found) ||
        fstat(fd, &held) || lstat(folder, &found) || held.st_ino != found.st_ino) {
        close(fd);
        return -1;
    }
    if (stat(mark, &found) == 0 && found.st_mtime + DAY < time(NULL))
        utimensat(AT_FDCWD, mark, NULL, 0); /* it is in use, see sweep() */
    return fd;
}

/* Move a folder to a new name of ours, for its removal. */
static void set_aside(const char *folder, const char *base, char *aside) {
    char place[LONGEST];
    format(aside, base, "/.removing-XXXXXX");
    if (!mkdtemp(aside))
        aside[0] = 0;
    format(place, aside, "/tree");
    if (aside[0] && rename(folder, place) && rmdir(aside) == 0)
        aside[0] = 0;
}

/* Remove the folders of interrupted starts, and trees unused for a month. */
static void sweep(const char *base, const char *kept) {
    DIR *entries = opendir(base);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        char path[LONGEST], mark[LONGEST], name[300], aside[LONGEST];
        struct stat found;
        snprintf(name, sizeof name, "/%s", entry->d_name);
        format(path, base, name);
        format(mark, path, COMPLETE);
        int is_part = strncmp(name, "/.unpacking-", 12) == 0 || strncmp(name, "/.removing-", 11) == 0;
        if ((name[1] == '.' && !is_part) || strcmp(path, kept) == 0 || !is_ours(path) ||
            (stat(mark, &found) && lstat(path, &found)) ||
            found.st_mtime + (is_part ? MINUTE : 30 * DAY) > time(NULL))
            continue;
        int fd = open_folder(path, F_DUPFD_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
            set_aside(path, base, aside);
            if (aside[0])
                discard(aside);
        }
        close(fd);
    }
    if (entries)
        closedir(entries);
}

/* Move an unpacked tree to its place, where there is none or an incomplete one. Only one process at a
   time does that, so that none moves away a tree that another has just installed. */
static int install(const char *partial, const char *base, const char *folder) {
    char aside[LONGEST] = {0};
    int lock = open_folder(base, F_DUPFD_CLOEXEC);
    int is_alone = lock >= 0 && flock(lock, LOCK_EX) == 0;
    int held = enter(folder); /* another process may have been quicker */
    if (held < 0 && is_alone && access(folder, F_OK) == 0)
        set_aside(folder, base, aside);
    if (held < 0 && rename(partial, folder) == 0)
        held = enter(folder);
    close(lock);
    if (aside[0])
        discard(aside);
    return held;
}

/* Have the archive's tree below a base folder, unpacked and locked; return -1 on failure. */
static int furnish(int self, const struct trailer *trailer, off_t start, const char *place, char *folder) {
    char name[64], base[LONGEST], partial[LONGEST];
    if (resolve(place, base))
        return -1;
    errno = EPERM;
    if (!is_above_others(base))
        return -1;
    snprintf(name, sizeof name, "/%.47s", trailer->name);
    format(folder, base, name);
    int held = is_ours(base) ? enter(folder) : -1;
    if (held >= 0)
        return held;
    format(partial, base, "/");
    if (make_parents(partial, 0700))
        return -1;
    errno = EPERM;
    if (!is_ours(base) || !is_above_others(base))
        return -1;
    format(partial, base, "/.unpacking-XXXXXX");
    if (!mkdtemp(partial))
        return -1;
    int lock = open_folder(partial, F_DUPFD_CLOEXEC); /* shows sweep() that it is in use */
    flock(lock, LOCK_EX | LOCK_NB);
    if (unpack(self, start, partial) == 0) {
        close(lock);
        held = install(partial, base, folder);
        sweep(base, folder);
    } else {
        close(lock);
    }
    discard(partial); /* unless it was installed */
    return held;
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
    struct stat input;
    if (fstat(0, &input) == 0 && S_ISDIR(input.st_mode)) { /* Python would report it with 1 */
        fprintf(stderr, "rind: stdin is a folder, which cannot be read\n");
        return FAILED;
    }
    char bases[4][LONGEST] = {{0}}, own[32], folder[LONGEST];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    snprintf(own, sizeof own, "/rind-%u", geteuid());
    if (cache && *cache == '/')
        format(bases[0], cache, "/rind");
    if (home && *home == '/' && access(home, F_OK) == 0) /* a missing home is not created */
        format(bases[1], home, "/.cache/rind");
    format(bases[2], "/var/tmp", own);
    format(bases[3], "/tmp", own);
    int numbers[] = {SIGHUP, SIGINT, SIGTERM}, held = -1;
    struct sigaction ours = {.sa_handler = catch}, theirs[3];
    for (int i = 0; i < 3; i++) /* ignored signals stay ignored */
        if (sigaction(numbers[i], NULL, &theirs[i]) == 0 && theirs[i].sa_handler != SIG_IGN)
            sigaction(numbers[i], &ours, NULL);
    for (int i = 0; i < 4 && !caught; i++) {
        if (!bases[i][0])
            continue;
        held = furnish(self, &trailer, end - (off_t)trailer.size, bases[i], folder);
        if (held < 0)
            continue;
        for (int k = 0; k < 3; k++)
            sigaction(numbers[k], &theirs[k], NULL);
        if (!caught)
            execute(folder, called, argc, argv); /* returns only if execution is not permitted */
        close(held);
    }
    if (caught) {
        signal(caught, SIG_DFL);
        raise(caught);
    }
    fprintf(stderr, "rind: cannot unpack itself, last into %s: %s; set XDG_CACHE_HOME to a folder that "
                    "can be written and executed from\n", bases[3], strerror(errno));
    return FAILED;
}
