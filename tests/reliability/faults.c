/* Loaded before libc (LD_PRELOAD): the files below FAULTS_FOLDER are on a disk that fails when told to, and every
 * change of them can be written down.
 *
 * FAULTS_JOURNAL: a file that gets a record for each change, in order:
 *   op (1 byte), length of the path (4), offset or new size (8), length of the data (8), path, data; little-endian.
 *   ops: c create, w write, t truncate, s sync of a file, d sync of a folder, u unlink.
 * FAULTS_CONTROL: a file of `struct control`, which another process may change at any time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct control {
    int32_t sync_error;   /* errno of fsync and fdatasync; 0: none */
    int32_t write_error;  /* errno of writes; ENOSPC fails only those that make a file longer */
    int32_t read_error;   /* errno of reads */
    int32_t sync_delay_ms;
    int64_t clock_offset_s; /* added to the wall clock */
    int64_t clock_rate;     /* seconds of both clocks in one that passes; as it was at the start, 0 is 1 */
    int64_t clock_start_s;  /* Unix time at which the wall clock began to go at this rate */
    int64_t syncs;          /* counted here */
};

#define FDS 4096
static char *paths[FDS];
static const char *folder;
static int journal = -1;
static struct control nothing;
static struct control *control = &nothing;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int64_t rate = 1;
static int64_t started_ns; /* of the monotonic clock */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define SECOND_NS 1000000000LL

static int64_t ns_of(const struct timespec *time) { return time->tv_sec * SECOND_NS + time->tv_nsec; }
static struct timespec time_of(int64_t ns) { return (struct timespec){ns / SECOND_NS, ns % SECOND_NS}; }

__attribute__((constructor)) static void start(void) {
    const char *path;
    struct timespec now;
    folder = getenv("FAULTS_FOLDER");
    if ((path = getenv("FAULTS_JOURNAL")))
        journal = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if ((path = getenv("FAULTS_CONTROL"))) {
        int fd = REAL(open)(path, O_RDWR | O_CLOEXEC);
        void *mapped = mmap(NULL, sizeof nothing, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (fd < 0 || mapped == MAP_FAILED)
            abort();
        control = mapped;
        rate = control->clock_rate ? control->clock_rate : 1;
    }
    REAL(clock_gettime)(CLOCK_MONOTONIC, &now);
    started_ns = ns_of(&now);
}

static int is_watched(const char *path) {
    size_t length = strlen(path);
    return folder && !strncmp(path, folder, strlen(folder)) && !(length > 4 && !strcmp(path + length - 4, "-shm"));
}

static const char *path_of(int fd) { return fd >= 0 && fd < FDS ? paths[fd] : NULL; }

static void put(char op, const char *path, uint64_t offset, const void *data, uint64_t size) {
    if (journal < 0)
        return;
    uint32_t path_size = (uint32_t)strlen(path);
    size_t total = 21 + path_size + size;
    char *record = malloc(total);
    record[0] = op;
    memcpy(record + 1, &path_size, 4);
    memcpy(record + 5, &offset, 8);
    memcpy(record + 13, &size, 8);
    memcpy(record + 21, path, path_size);
    if (size)
        memcpy(record + 21 + path_size, data, size);
    if (REAL(write)(journal, record, total) != (ssize_t)total)
        abort();
    free(record);
}

static int opened(int fd, const char *path, int is_new) {
    if (fd >= 0 && fd < FDS && is_watched(path)) {
        free(paths[fd]);
        paths[fd] = strdup(path);
        if (is_new)
            put('c', path, 0, NULL, 0);
    }
    return fd;
}

static int open_any(int (*real)(const char *, int, ...), const char *path, int flags, va_list more) {
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    if (!is_watched(path))
        return real(path, flags, mode);
    if (control->write_error && (flags & O_CREAT) && access(path, F_OK)) {
        errno = control->write_error;
        return -1;
    }
    pthread_mutex_lock(&lock);
    int is_new = (flags & O_CREAT) && access(path, F_OK);
    int fd = opened(real(path, flags, mode), path, is_new);
    if (fd >= 0 && (flags & O_TRUNC))
        put('t', path, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPEN(name)                                  \
    int name(const char *path, int flags, ...) {    \
        va_list more;                               \
        va_start(more, flags);                      \
        int fd = open_any(REAL(name), path, flags, more); \
        va_end(more);                               \
        return fd;                                  \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    if (path_of(fd)) {
        pthread_mutex_lock(&lock);
        free(paths[fd]);
        paths[fd] = NULL;
        pthread_mutex_unlock(&lock);
    }
    return REAL(close)(fd);
}

static ssize_t write_at(int fd, const void *data, size_t size, off_t offset) {
    struct stat found;
    if (control->write_error &&
        (control->write_error != ENOSPC || (!fstat(fd, &found) && offset + (off_t)size > found.st_size))) {
        errno = control->write_error;
        return -1;
    }
    pthread_mutex_lock(&lock);
    ssize_t written = REAL(pwrite)(fd, data, size, offset);
    if (written > 0)
        put('w', path_of(fd), (uint64_t)offset, data, (uint64_t)written);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    return path_of(fd) ? write_at(fd, data, size, offset) : REAL(pwrite)(fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return pwrite(fd, data, size, offset); }

ssize_t write(int fd, const void *data, size_t size) {
    if (!path_of(fd))
        return REAL(write)(fd, data, size);
    off_t offset = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t written = write_at(fd, data, size, offset);
    if (written > 0)
        lseek(fd, offset + written, SEEK_SET);
    return written;
}

ssize_t pread(int fd, void *data, size_t size, off_t offset) {
    if (path_of(fd) && control->read_error) {
        errno = control->read_error;
        return -1;
    }
    return REAL(pread)(fd, data, size, offset);
}
ssize_t pread64(int fd, void *data, size_t size, off64_t offset) { return pread(fd, data, size, offset); }

int ftruncate(int fd, off_t size) {
    if (!path_of(fd))
        return REAL(ftruncate)(fd, size);
    if (control->write_error && control->write_error != ENOSPC) {
        errno = control->write_error;
        return -1;
    }
    pthread_mutex_lock(&lock);
    int failed = REAL(ftruncate)(fd, size);
    if (!failed)
        put('t', path_of(fd), (uint64_t)size, NULL, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

static int sync_with(int (*real)(int), int fd) {
    struct stat found;
    const char *path = path_of(fd);
    if (!path)
        return real(fd);
    __atomic_fetch_add(&control->syncs, 1, __ATOMIC_RELAXED);
    if (control->sync_delay_ms)
        usleep((useconds_t)control->sync_delay_ms * 1000);
    if (control->sync_error) {
        errno = control->sync_error;
        return -1;
    }
    pthread_mutex_lock(&lock);
    put(!fstat(fd, &found) && S_ISDIR(found.st_mode) ? 'd' : 's', path, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return 0; /* the journal says what would be on the disk; the tests' own disk need not be waited for */
}
int fsync(int fd) { return sync_with(REAL(fsync), fd); }
int fdatasync(int fd) { return sync_with(REAL(fdatasync), fd); }

int unlink(const char *path) {
    pthread_mutex_lock(&lock);
    int failed = REAL(unlink)(path);
    if (!failed && is_watched(path))
        put('u', path, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

/* The clocks. What waits for a time waits as much shorter as they go faster; what takes the processor takes what it takes. */

static struct timespec faster(clockid_t clock, struct timespec real) {
    if (clock == CLOCK_MONOTONIC)
        return time_of(started_ns + (ns_of(&real) - started_ns) * rate);
    int64_t start_ns = rate == 1 ? 0 : control->clock_start_s * SECOND_NS;
    return time_of(start_ns + (ns_of(&real) - start_ns) * rate + control->clock_offset_s * SECOND_NS);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = REAL(clock_gettime)(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC))
        *now = faster(clock, *now);
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec time;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &time);
    *now = (struct timeval){time.tv_sec, time.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout_ms) {
    if (timeout_ms > 0)
        timeout_ms = (int)((timeout_ms + rate - 1) / rate);
    return REAL(epoll_wait)(epoll, events, most, timeout_ms);
}

static struct timespec sooner(clockid_t clock, const struct timespec *until, int64_t by) {
    struct timespec now, real;
    clock_gettime(clock, &now);
    REAL(clock_gettime)(clock, &real);
    return time_of(ns_of(&real) + (ns_of(until) - ns_of(&now)) / by);
}

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until) {
    struct timespec real = rate == 1 ? *until : sooner(clock, until, rate);
    return REAL(sem_clockwait)(semaphore, clock, &real);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
    struct timespec real = *until;
    if (rate != 1)
        real = flags & TIMER_ABSTIME ? sooner(clock, until, rate) : time_of(ns_of(until) / rate);
    return REAL(clock_nanosleep)(clock, flags, &real, left);
}

/* CPython waits so for its lock alone, for some ms of the processor's time. */
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    static __typeof__(&pthread_cond_timedwait) real_wait;
    struct timespec real;
    if (!real_wait && !(real_wait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2")))
        real_wait = REAL(pthread_cond_timedwait); /* else the oldest version would be found */
    real = rate == 1 ? *until : sooner(CLOCK_MONOTONIC, until, 1);
    return real_wait(condition, mutex, &real);
}
