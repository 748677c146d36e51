/* Preloaded into a server, it lets SIGUSR2 cut the power: every file loses what was appended since it
   was last synced, and the process dies. Says on stderr how much was lost. What it leaves out: names
   last without a sync of their directory, and what is synced is never torn; tests/storage has a file
   system that forgets those as well. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kMostFiles = 8192, kLeastDescriptor = 1024 };

struct file {
  dev_t device;
  ino_t inode;
  int descriptor; /* one of our own, as long as the file has a name */
  off_t synced;
};

static struct file files[kMostFiles];
static int file_count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_int power_is_off;

static void wait_for_the_end(void) {
  while (atomic_load(&power_is_off)) {
    pause();
  }
}

static void forget_removed_files(void) {
  int kept = 0;
  for (int i = 0; i < file_count; ++i) {
    struct stat status;
    if (fstat(files[i].descriptor, &status) == 0 && status.st_nlink == 0) {
      close(files[i].descriptor);
    } else {
      files[kept++] = files[i];
    }
  }
  file_count = kept;
}

/* The regular file behind `descriptor`, or NULL. */
static struct file* find(int descriptor, struct stat* status) {
  if (fstat(descriptor, status) != 0 || !S_ISREG(status->st_mode)) {
    return NULL;
  }
  for (int i = 0; i < file_count; ++i) {
    if (files[i].device == status->st_dev && files[i].inode == status->st_ino) {
      return &files[i];
    }
  }
  return NULL;
}

static void note_open(int descriptor, int flags) {
  if (descriptor < 0 || (flags & O_ACCMODE) == O_RDONLY) {
    return;
  }
  pthread_mutex_lock(&mutex);
  struct stat status;
  struct file* file = find(descriptor, &status);
  if (file == NULL && S_ISREG(status.st_mode)) {
    forget_removed_files();
    if (file_count < kMostFiles) {
      file = &files[file_count++];
      file->device = status.st_dev;
      file->inode = status.st_ino;
      file->descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, kLeastDescriptor);
      file->synced = status.st_size;
    }
  }
  if (file != NULL && file->synced > status.st_size) {
    file->synced = status.st_size;
  }
  pthread_mutex_unlock(&mutex);
}

static int open_file(int directory, const char* path, int flags, mode_t mode) {
  int descriptor = (int)syscall(SYS_openat, directory, path, flags, mode);
  note_open(descriptor, flags);
  return descriptor;
}

#define MODE_OF(flags, mode)                          \
  mode_t mode = 0;                                    \
  if (((flags) & O_CREAT) || ((flags)&O_TMPFILE)) {   \
    va_list arguments;                                \
    va_start(arguments, flags);                       \
    mode = (mode_t)va_arg(arguments, int);            \
    va_end(arguments);                                \
  }

int open(const char* path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_file(AT_FDCWD, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_file(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int openat(int directory, const char* path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_file(directory, path, flags, mode);
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  wait_for_the_end();
  return syscall(SYS_write, descriptor, bytes, size);
}

ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off_t offset) {
  wait_for_the_end();
  return syscall(SYS_pwrite64, descriptor, bytes, size, offset);
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  return pwrite64(descriptor, bytes, size, offset);
}

static int sync_file(long call, int descriptor) {
  wait_for_the_end();
  struct stat before;
  if (fstat(descriptor, &before) != 0) {
    before.st_size = 0;
  }
  int result = (int)syscall(call, descriptor);
  wait_for_the_end();
  pthread_mutex_lock(&mutex);
  struct stat now;
  struct file* file = find(descriptor, &now);
  if (result == 0 && file != NULL && file->synced < before.st_size) {
    file->synced = before.st_size;
  }
  pthread_mutex_unlock(&mutex);
  return result;
}

int fsync(int descriptor) { return sync_file(SYS_fsync, descriptor); }
int fdatasync(int descriptor) { return sync_file(SYS_fdatasync, descriptor); }

/* All other threads stop at their next write or sync, so the table stands still. */
static void cut_power(int signal_number) {
  (void)signal_number;
  atomic_store(&power_is_off, 1);
  const struct timespec moment = {0, 50 * 1000 * 1000};
  nanosleep(&moment, NULL);
  long long lost = 0;
  for (int i = 0; i < file_count; ++i) {
    struct stat status;
    if (fstat(files[i].descriptor, &status) == 0 && status.st_size > files[i].synced &&
        syscall(SYS_ftruncate, files[i].descriptor, files[i].synced) == 0) {
      lost += status.st_size - files[i].synced;
    }
  }
  char text[64];
  const int size = snprintf(text, sizeof text, "power cut: %lld bytes were not synced\n", lost);
  syscall(SYS_write, STDERR_FILENO, text, size);
  kill(getpid(), SIGKILL);
}

__attribute__((constructor)) static void begin(void) {
  struct sigaction action = {.sa_handler = cut_power};
  sigaction(SIGUSR2, &action, NULL);
}
