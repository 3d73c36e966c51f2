/*
 * Lets the wall clock of one process jump: LD_PRELOAD it into a redis-server.
 *   FAULT_CLOCK_FILE  a file of 8 bytes, the offset in microseconds (int64, this machine's byte order); whoever
 *                     writes it sets the clock at once, since it is mapped and not read.
 * Only what tells the time of day is changed. Monotonic clocks go on as they are, as they do where an administrator or
 * NTP sets a clock. libfaketime changes both, and stops Redis' event loop.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t none = 0;
static const volatile int64_t *offset = &none;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
  real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  const char *file = getenv("FAULT_CLOCK_FILE");
  int fd = file ? open(file, O_RDONLY) : -1;
  if (fd < 0) return;
  void *mapped = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
  if (mapped != MAP_FAILED) offset = mapped;
  close(fd);
}

int clock_gettime(clockid_t id, struct timespec *out) {
  if (!real_clock_gettime) begin();
  int failed = real_clock_gettime(id, out);
  if (failed || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) return failed;
  int64_t us = *offset;
  int64_t nanos = out->tv_nsec + (us % 1000000) * 1000;
  out->tv_sec += us / 1000000 + nanos / 1000000000;
  out->tv_nsec = nanos % 1000000000;
  if (out->tv_nsec < 0) {
    out->tv_nsec += 1000000000;
    out->tv_sec -= 1;
  }
  return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now)) return (time_t)-1;
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
