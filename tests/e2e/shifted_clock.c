/* Preloaded into a server, it puts the time of day off by SYNTROPY_CLOCK_SHIFT_S seconds; monotonic
   time stays. (libfaketime of Debian 12 can't start programs linked with jemalloc.) Waits until a time
   of day are shifted back. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* An absolute time below this is one of the monotonic clock. */
static const time_t kEarliestTimeOfDay = 1000000000;

static long shift_s(void) {
  static long shift;
  static int known;
  if (!known) {
    const char* text = getenv("SYNTROPY_CLOCK_SHIFT_S");
    shift = text != NULL ? atol(text) : 0;
    known = 1;
  }
  return shift;
}

int clock_gettime(clockid_t clock, struct timespec* result) {
  int status = (int)syscall(SYS_clock_gettime, clock, result);
  if (status == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    result->tv_sec += shift_s();
  }
  return status;
}

int gettimeofday(struct timeval* restrict result, void* restrict zone) {
  (void)zone;
  struct timespec now;
  int status = clock_gettime(CLOCK_REALTIME, &now);
  result->tv_sec = now.tv_sec;
  result->tv_usec = now.tv_nsec / 1000;
  return status;
}

time_t time(time_t* result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result != NULL) {
    *result = now.tv_sec;
  }
  return now.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t* restrict condition, pthread_mutex_t* restrict mutex,
                           const struct timespec* restrict until) {
  if (until->tv_sec < kEarliestTimeOfDay) {
    return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, until);
  }
  struct timespec real = *until;
  real.tv_sec -= shift_s();
  return pthread_cond_clockwait(condition, mutex, CLOCK_REALTIME, &real);
}
