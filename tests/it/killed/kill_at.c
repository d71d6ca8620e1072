/* Kills the program before its N-th call that changes a disk or speaks to a socket, N by SLUIS_KILL_AT.
 *
 * Loaded before the C library, it sees every such call of all threads, in their order, without a change to the
 * program. What is written to standard output and error is not counted. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;
static long kill_at;

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("SLUIS_KILL_AT");
    kill_at = at ? atol(at) : 0;
}

static void step(void)
{
    if (kill_at > 0 && atomic_fetch_add(&calls, 1) + 1 >= kill_at) {
        kill(getpid(), SIGKILL);
        for (;;)
            pause();
    }
}

/* A thread is woken by a write, too; that is no step. */
static void step_on(int fd)
{
    struct stat found;
    if (fd > 2 && fstat(fd, &found) == 0 && (S_ISREG(found.st_mode) || S_ISSOCK(found.st_mode)))
        step();
}

#define SEEN(type, name, parameters, arguments, counted)                                                       \
    type name parameters                                                                                       \
    {                                                                                                          \
        static type(*next) parameters;                                                                         \
        if (!next)                                                                                             \
            next = (type(*) parameters)dlsym(RTLD_NEXT, #name);                                                \
        counted;                                                                                               \
        return next arguments;                                                                                 \
    }

SEEN(ssize_t, write, (int fd, const void *from, size_t count), (fd, from, count), step_on(fd))
SEEN(ssize_t, writev, (int fd, const struct iovec *from, int count), (fd, from, count), step_on(fd))
SEEN(ssize_t, pwrite, (int fd, const void *from, size_t count, off_t at), (fd, from, count, at), step_on(fd))
SEEN(ssize_t, pwrite64, (int fd, const void *from, size_t count, off64_t at), (fd, from, count, at), step_on(fd))
SEEN(ssize_t, send, (int fd, const void *from, size_t count, int flags), (fd, from, count, flags), step_on(fd))
SEEN(ssize_t, sendmsg, (int fd, const struct msghdr *from, int flags), (fd, from, flags), step_on(fd))
SEEN(int, fsync, (int fd), (fd), step())
SEEN(int, fdatasync, (int fd), (fd), step())
SEEN(int, ftruncate, (int fd, off_t length), (fd, length), step())
SEEN(int, ftruncate64, (int fd, off64_t length), (fd, length), step())
SEEN(int, rename, (const char *from, const char *to), (from, to), step())
SEEN(int, link, (const char *from, const char *to), (from, to), step())
SEEN(int, unlink, (const char *path), (path), step())
SEEN(int, mkdir, (const char *path, mode_t mode), (path, mode), step())
