/* A library for LD_PRELOAD that lets one call of libc fail: the n-th of a kind on a path that has a given part.
 *
 *     fault_arm(part, kind, at, error, sticky)   from now on the at-th such call fails with that errno; if `sticky`,
 *                                                all after it too; none fails where `at` is 0, and none counts where
 *                                                `part` is empty
 *     fault_count(kind)                          how many such calls there were
 *     fault_name(kind)                           what a kind is called; NULL behind the last
 *
 * With FAULT_CLOCK in the environment, a number of seconds since 1970, that is the time.
 *
 * The state is shared with processes that are forked later: whoever waits for one can read what it counted. A call by
 * descriptor has the path that /proc/self/fd says. A close that fails has closed, as on Linux (close(2), NOTES).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind {
    OPEN, READ, WRITE, FSTAT, STAT, CLOSE, RENAME, MKDIR, FLOCK, OPENDIR, READDIR, UNLINK, UTIME, TRUNCATE, SEEK,
    READLINK, SYMLINK, LINK, CHOWN, CHMOD, KINDS
};

static const char *const names[KINDS] = {
    "open", "read", "write", "fstat", "stat", "close", "rename", "mkdir", "flock", "opendir", "readdir", "unlink",
    "utime", "ftruncate", "lseek", "readlink", "symlink", "link", "chown", "chmod",
};

static struct {
    long counts[KINDS];
    long at;
    int kind, error, sticky;
    char part[PATH_MAX];
} *state;
static const char *clock_text;

__attribute__((constructor)) static void begin(void)
{
    clock_text = getenv("FAULT_CLOCK");
    state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (state == MAP_FAILED)
        state = NULL;
}

void fault_arm(const char *part, int kind, long at, int error, int sticky)
{
    memset(state, 0, sizeof *state);
    state->kind = kind;
    state->at = at;
    state->error = error;
    state->sticky = sticky;
    snprintf(state->part, sizeof state->part, "%s", part);
}

long fault_count(int kind)
{
    return state->counts[kind];
}

const char *fault_name(int kind)
{
    return kind < KINDS ? names[kind] : NULL;
}

/* Whether this call is the one that fails; errno is set then. */
static int hit(enum kind kind, const char *path)
{
    if (!state || !state->part[0] || !path || !strstr(path, state->part))
        return 0;
    long count = __sync_add_and_fetch(&state->counts[kind], 1);
    if ((int)kind != state->kind || !state->at || count < state->at || (count > state->at && !state->sticky))
        return 0;
    errno = state->error;
    return 1;
}

#define REAL(result, name, ...) ((result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

static int hit_descriptor(enum kind kind, int descriptor)
{
    char link[64], path[PATH_MAX];
    int saved = errno;

    if (!state || !state->part[0])
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = REAL(ssize_t, readlink, const char *, char *, size_t)(link, path, sizeof path - 1);
    errno = saved;
    if (size < 0)
        return 0;
    path[size] = 0;
    return hit(kind, path);
}

static int hit_at(enum kind kind, int directory, const char *path)
{
    char here[PATH_MAX];

    if (!state || !state->part[0])
        return 0;
    if (path && path[0] == '/')
        return hit(kind, path);
    if (directory != AT_FDCWD)
        return hit_descriptor(kind, directory);
    return getcwd(here, sizeof here) ? hit(kind, here) : 0;
}

#define MODE(flags)                                                                                                   \
    mode_t mode = 0;                                                                                                  \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                                          \
        va_list rest;                                                                                                 \
        va_start(rest, flags);                                                                                        \
        mode = va_arg(rest, mode_t);                                                                                  \
        va_end(rest);                                                                                                 \
    }
#define OPEN_AS(name)                                                                                                 \
    int name(const char *path, int flags, ...)                                                                        \
    {                                                                                                                 \
        MODE(flags)                                                                                                   \
        return hit_at(OPEN, AT_FDCWD, path) ? -1 : REAL(int, name, const char *, int, ...)(path, flags, mode);        \
    }
#define OPENAT_AS(name)                                                                                               \
    int name(int directory, const char *path, int flags, ...)                                                         \
    {                                                                                                                 \
        MODE(flags)                                                                                                   \
        return hit_at(OPEN, directory, path)                                                                          \
            ? -1                                                                                                      \
            : REAL(int, name, int, const char *, int, ...)(directory, path, flags, mode);                             \
    }
OPEN_AS(open)
OPEN_AS(open64)
OPENAT_AS(openat)
OPENAT_AS(openat64)

/* A function of one descriptor and other parameters: its kind, its result, name, parameters and arguments. */
#define BY_DESCRIPTOR(kind, result, name, parameters, arguments)                                                      \
    result name parameters                                                                                            \
    {                                                                                                                 \
        return hit_descriptor(kind, descriptor) ? -1 : ((result(*) parameters)dlsym(RTLD_NEXT, #name))arguments;      \
    }
BY_DESCRIPTOR(READ, ssize_t, read, (int descriptor, void *to, size_t size), (descriptor, to, size))
BY_DESCRIPTOR(READ, ssize_t, pread, (int descriptor, void *to, size_t size, off_t at), (descriptor, to, size, at))
BY_DESCRIPTOR(READ, ssize_t, pread64, (int descriptor, void *to, size_t size, off64_t at), (descriptor, to, size, at))
BY_DESCRIPTOR(READ, ssize_t, preadv, (int descriptor, const struct iovec *to, int count, off_t at),
              (descriptor, to, count, at))
BY_DESCRIPTOR(READ, ssize_t, preadv64, (int descriptor, const struct iovec *to, int count, off64_t at),
              (descriptor, to, count, at))
BY_DESCRIPTOR(READ, ssize_t, preadv2, (int descriptor, const struct iovec *to, int count, off_t at, int flags),
              (descriptor, to, count, at, flags))
BY_DESCRIPTOR(READ, ssize_t, preadv64v2, (int descriptor, const struct iovec *to, int count, off64_t at, int flags),
              (descriptor, to, count, at, flags))
BY_DESCRIPTOR(WRITE, ssize_t, write, (int descriptor, const void *from, size_t size), (descriptor, from, size))
BY_DESCRIPTOR(WRITE, ssize_t, pwrite, (int descriptor, const void *from, size_t size, off_t at),
              (descriptor, from, size, at))
BY_DESCRIPTOR(WRITE, ssize_t, pwrite64, (int descriptor, const void *from, size_t size, off64_t at),
              (descriptor, from, size, at))
BY_DESCRIPTOR(WRITE, ssize_t, copy_file_range,
              (int from, off64_t *from_at, int descriptor, off64_t *to_at, size_t size, unsigned int flags),
              (from, from_at, descriptor, to_at, size, flags))
BY_DESCRIPTOR(WRITE, ssize_t, sendfile64, (int descriptor, int from, off64_t *at, size_t size),
              (descriptor, from, at, size))
BY_DESCRIPTOR(FSTAT, int, fstat, (int descriptor, struct stat *status), (descriptor, status))
BY_DESCRIPTOR(FSTAT, int, fstat64, (int descriptor, struct stat64 *status), (descriptor, status))
BY_DESCRIPTOR(FLOCK, int, flock, (int descriptor, int operation), (descriptor, operation))
BY_DESCRIPTOR(TRUNCATE, int, ftruncate, (int descriptor, off_t size), (descriptor, size))
BY_DESCRIPTOR(TRUNCATE, int, ftruncate64, (int descriptor, off64_t size), (descriptor, size))
BY_DESCRIPTOR(SEEK, off_t, lseek, (int descriptor, off_t at, int whence), (descriptor, at, whence))
BY_DESCRIPTOR(SEEK, off64_t, lseek64, (int descriptor, off64_t at, int whence), (descriptor, at, whence))
BY_DESCRIPTOR(UTIME, int, futimens, (int descriptor, const struct timespec times[2]), (descriptor, times))
BY_DESCRIPTOR(CHMOD, int, fchmod, (int descriptor, mode_t mode), (descriptor, mode))
BY_DESCRIPTOR(CHOWN, int, fchown, (int descriptor, uid_t user, gid_t group), (descriptor, user, group))

int close(int descriptor)
{
    int failed = hit_descriptor(CLOSE, descriptor), error = errno;
    int result = REAL(int, close, int)(descriptor);

    if (!failed)
        return result;
    errno = error;
    return -1;
}

/* A function of one path, relative to a directory where there is one. */
#define BY_PATH(kind, result, failure, name, directory, path, parameters, arguments)                                  \
    result name parameters                                                                                            \
    {                                                                                                                 \
        return hit_at(kind, directory, path) ? failure : ((result(*) parameters)dlsym(RTLD_NEXT, #name))arguments;    \
    }
BY_PATH(STAT, int, -1, stat, AT_FDCWD, path, (const char *path, struct stat *status), (path, status))
BY_PATH(STAT, int, -1, stat64, AT_FDCWD, path, (const char *path, struct stat64 *status), (path, status))
BY_PATH(STAT, int, -1, lstat, AT_FDCWD, path, (const char *path, struct stat *status), (path, status))
BY_PATH(STAT, int, -1, lstat64, AT_FDCWD, path, (const char *path, struct stat64 *status), (path, status))
BY_PATH(STAT, int, -1, fstatat, directory, path, (int directory, const char *path, struct stat *status, int flags),
        (directory, path, status, flags))
BY_PATH(STAT, int, -1, fstatat64, directory, path, (int directory, const char *path, struct stat64 *status, int flags),
        (directory, path, status, flags))
BY_PATH(RENAME, int, -1, rename, AT_FDCWD, path, (const char *old, const char *path), (old, path))
BY_PATH(RENAME, int, -1, renameat, directory, path, (int at, const char *old, int directory, const char *path),
        (at, old, directory, path))
BY_PATH(RENAME, int, -1, renameat2, directory, path,
        (int at, const char *old, int directory, const char *path, unsigned int flags),
        (at, old, directory, path, flags))
BY_PATH(MKDIR, int, -1, mkdir, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode))
BY_PATH(MKDIR, int, -1, mkdirat, directory, path, (int directory, const char *path, mode_t mode),
        (directory, path, mode))
BY_PATH(OPENDIR, DIR *, NULL, opendir, AT_FDCWD, path, (const char *path), (path))
BY_PATH(UNLINK, int, -1, unlink, AT_FDCWD, path, (const char *path), (path))
BY_PATH(UNLINK, int, -1, unlinkat, directory, path, (int directory, const char *path, int flags),
        (directory, path, flags))
BY_PATH(UNLINK, int, -1, rmdir, AT_FDCWD, path, (const char *path), (path))
BY_PATH(UTIME, int, -1, utimensat, directory, path,
        (int directory, const char *path, const struct timespec times[2], int flags), (directory, path, times, flags))
BY_PATH(READLINK, ssize_t, -1, readlink, AT_FDCWD, path, (const char *path, char *to, size_t size), (path, to, size))
BY_PATH(READLINK, ssize_t, -1, readlinkat, directory, path, (int directory, const char *path, char *to, size_t size),
        (directory, path, to, size))
BY_PATH(SYMLINK, int, -1, symlink, AT_FDCWD, path, (const char *target, const char *path), (target, path))
BY_PATH(SYMLINK, int, -1, symlinkat, directory, path, (const char *target, int directory, const char *path),
        (target, directory, path))
BY_PATH(LINK, int, -1, link, AT_FDCWD, path, (const char *old, const char *path), (old, path))
BY_PATH(LINK, int, -1, linkat, directory, path,
        (int at, const char *old, int directory, const char *path, int flags), (at, old, directory, path, flags))
BY_PATH(CHOWN, int, -1, chown, AT_FDCWD, path, (const char *path, uid_t user, gid_t group), (path, user, group))
BY_PATH(CHOWN, int, -1, lchown, AT_FDCWD, path, (const char *path, uid_t user, gid_t group), (path, user, group))
BY_PATH(CHOWN, int, -1, fchownat, directory, path,
        (int directory, const char *path, uid_t user, gid_t group, int flags), (directory, path, user, group, flags))
BY_PATH(CHMOD, int, -1, chmod, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode))
BY_PATH(CHMOD, int, -1, fchmodat, directory, path, (int directory, const char *path, mode_t mode, int flags),
        (directory, path, mode, flags))

DIR *fdopendir(int descriptor)
{
    return hit_descriptor(OPENDIR, descriptor) ? NULL : REAL(DIR *, fdopendir, int)(descriptor);
}

/* NULL is the end of a directory, too: what tells them apart is errno. */
struct dirent64 *readdir64(DIR *directory)
{
    return hit_descriptor(READDIR, dirfd(directory)) ? NULL : REAL(struct dirent64 *, readdir64, DIR *)(directory);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = REAL(int, clock_gettime, clockid_t, struct timespec *)(clock, time);

    if (clock_text && clock == CLOCK_REALTIME)
        time->tv_sec = atoll(clock_text);
    return result;
}
