/*
 * A guest that checks itself while the world is stopped and goes on again and again: threads that
 * compute in vector registers, that make calls, wait in calls and are sent signals; processes that
 * fork, vfork, start programs and are single-stepped. A result that is not right ends it with a
 * message. MODE: all, busy (ten threads that compute), or sleep (five processes, four of which
 * sleep in calls). SECONDS behind it: it runs that long on a host, where nothing stops the world.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <immintrin.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* All must end; and the thread that is sent signals must, behind the one that sends them. */
static volatile int is_over, is_target_over;
static int native_seconds = 0;
static __thread long own = 0;
static char *self;

#define CHECK(what) do { if (!(what)) fail(#what, __LINE__); } while (0)

static void fail(const char *what, int line) {
  fprintf(stderr, "world.c:%d: %s does not hold, errno %d\n", line, what, errno);
  _exit(1);
}

/* Values in vector registers and x87, a rounding mode, and a thread's own variable. */
static void *compute(void *arg) {
  long seed = (long)arg, rounds = 0;
  own = seed;
  unsigned csr = (_mm_getcsr() & ~0x6000u) | (unsigned)(seed & 3) << 13;
  _mm_setcsr(csr);
  while (seed == 0 ? !is_target_over : !is_over) {
    __m256d sum = _mm256_set1_pd(0), step = _mm256_set_pd(seed, seed + 1, seed + 2, seed + 3);
    long double x = seed;
    for (int i = 0; i < 100000; i++) {
      sum = _mm256_add_pd(sum, step);
      x += 1;
      __asm__ volatile("" : "+x"(sum), "+x"(step));
    }
    double found[4];
    _mm256_storeu_pd(found, sum);
    for (int i = 0; i < 4; i++) CHECK(found[i] == 100000.0 * (seed + 3 - i));
    CHECK(x == seed + 100000);
    CHECK(own == seed);
    CHECK((_mm_getcsr() & 0x6000) == (csr & 0x6000));
    rounds++;
  }
  return (void *)rounds;
}

/* Calls with results that are known, on sites that dvisor patches, with vector registers in use. */
static void *call(void *arg) {
  long pid = getpid(), calls = 0;
  int fds[2];
  (void)arg;
  CHECK(pipe(fds) == 0);
  while (!is_over) {
    __m256i data = _mm256_set1_epi64x(calls);
    __asm__ volatile("" : "+x"(data));
    CHECK(syscall(SYS_getpid) == pid);
    CHECK(write(fds[1], &calls, sizeof calls) == sizeof calls);
    long back = -1;
    CHECK(read(fds[0], &back, sizeof back) == sizeof back && back == calls);
    __asm__ volatile("" : "+x"(data));
    long lanes[4];
    _mm256_storeu_si256((void *)lanes, data);
    for (int i = 0; i < 4; i++) CHECK(lanes[i] == calls);
    calls++;
  }
  return (void *)calls;
}

static int ping[2], pong[2];

static void *answer(void *arg) {
  long n, expected = 0;
  (void)arg;
  while (read(ping[0], &n, sizeof n) == sizeof n) {
    CHECK(n == expected++);
    n = -n;
    CHECK(write(pong[1], &n, sizeof n) == sizeof n);
  }
  return 0;
}

static void *ask(void *arg) {
  (void)arg;
  for (long n = 0, back; !is_over; n++) {
    CHECK(write(ping[1], &n, sizeof n) == sizeof n);
    CHECK(read(pong[0], &back, sizeof back) == sizeof back && back == -n);
  }
  close(ping[1]);
  return 0;
}

/* Memory that is mapped, touched and unmapped. */
static void *fault(void *arg) {
  (void)arg;
  while (!is_over) {
    char *m = mmap(0, 64 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(m != MAP_FAILED);
    for (int i = 0; i < 64; i++) {
      CHECK(m[i << 12] == 0);
      m[i << 12] = i + 1;
    }
    CHECK(mprotect(m, 32 << 12, PROT_READ) == 0);
    for (int i = 0; i < 64; i++) CHECK(m[i << 12] == i + 1);
    CHECK(munmap(m, 64 << 12) == 0);
  }
  return 0;
}

static volatile long alarms, sent, taken;
static pthread_t target;

static void on_alarm(int sig) {
  (void)sig;
  alarms++;
}
static void on_usr1(int sig, siginfo_t *info, void *context) {
  volatile double burn[64];
  (void)sig;
  (void)context;
  for (int i = 0; i < 64; i++) burn[i] = i * 1.5 + info->si_value.sival_int;
  for (int i = 0; i < 64; i++) CHECK(burn[i] == i * 1.5 + info->si_value.sival_int);
  taken++;
}

/* One signal at a time for a thread that computes: each is taken once. */
static void *signal_target(void *arg) {
  (void)arg;
  while (!is_over) {
    union sigval value = { .sival_int = (int)(sent % 1000) };
    sent++;
    CHECK(pthread_sigqueue(target, SIGUSR1, value) == 0);
    while (taken != sent) sched_yield();
  }
  return 0;
}

static int word;

static void *sleep_in_calls(void *arg) {
  long kind = (long)arg;
  struct timespec soon = { 0, 3000000 };
  int epoll = epoll_create1(0);
  while (!is_over) {
    if (kind == 0) CHECK(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &soon, 0, 0) < 0);
    if (kind == 1) CHECK(poll(0, 0, 3) == 0 || errno == EINTR);
    if (kind == 2) CHECK(nanosleep(&soon, 0) == 0 || errno == EINTR);
    struct epoll_event event;
    if (kind == 3) CHECK(epoll_wait(epoll, &event, 1, 3) == 0 || errno == EINTR);
  }
  return 0;
}

static int status_of(pid_t pid) {
  int status;
  pid_t got;
  CHECK(pid > 0);
  while ((got = waitpid(pid, &status, 0)) < 0 && errno == EINTR);
  CHECK(got == pid);
  return status;
}

/* Children by vfork and execve, with many arguments, and by fork. */
static void make_children(void) {
  char *args[2003];
  args[0] = self;
  args[1] = "count";
  for (int i = 2; i < 2002; i++) args[i] = "argument";
  args[2002] = 0;
  for (int n = 0; !is_over; n++) {
    char *env[] = { 0 };
    pid_t pid = vfork();
    if (pid == 0) {
      execve(self, args, env);
      _exit(99);
    }
    int status = status_of(pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 2002 % 251);
    pid = fork();
    if (pid == 0) {
      long sum = 0;
      for (int i = 0; i < 100000; i++) sum += i;
      _exit(sum == 4999950000L ? n & 0x7f : 255);
    }
    status = status_of(pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (n & 0x7f));
  }
}

/* A child that is single-stepped through a loop, and stopped at its calls. */
static void trace_child(void) {
  while (!is_over) {
    pid_t pid = fork();
    if (pid == 0) {
      CHECK(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
      raise(SIGSTOP);
      long n = 0;
      __asm__ volatile("1: inc %0\n cmp $200, %0\n jne 1b" : "+r"(n));
      for (int i = 0; i < 5; i++) syscall(SYS_getppid);
      _exit(n == 200 ? 44 : 1);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
    for (int i = 0; i < 300; i++) {
      struct user_regs_struct before, after;
      CHECK(ptrace(PTRACE_GETREGS, pid, 0, &before) == 0);
      CHECK(ptrace(PTRACE_SINGLESTEP, pid, 0, 0) == 0);
      CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
      CHECK(WSTOPSIG(status) == SIGTRAP);
      CHECK(ptrace(PTRACE_GETREGS, pid, 0, &after) == 0);
      CHECK(after.rip != before.rip && after.fs_base == before.fs_base);
    }
    while (ptrace(PTRACE_SYSCALL, pid, 0, 0) == 0) {
      CHECK(waitpid(pid, &status, 0) == pid);
      if (WIFEXITED(status)) break;
      CHECK(WSTOPSIG(status) == SIGTRAP);
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 44);
  }
}

static void on_term(int sig) {
  (void)sig;
  is_over = 1;
}

static pid_t start(void (*body)(void)) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  signal(SIGTERM, on_term);
  body();
  _exit(0);
}

static void nap(void) {
  while (!is_over) poll(0, 0, 1000);
}

/* Asks for stops of the world by its name, and waits until they are done. */
static void be_stopped(const char *mode) {
  char name[16];
  time_t end = time(0) + native_seconds;
  if (native_seconds > 0) {
    while (time(0) < end) usleep(1000);
    return;
  }
  snprintf(name, sizeof name, "stop %s", mode);
  prctl(PR_SET_NAME, name);
  while (strcmp(name, "stopped") != 0) {
    usleep(1000);
    prctl(PR_GET_NAME, name);
  }
}

static void *(*const BODIES[])(void *) = { compute, compute, call, call, answer, ask, fault,
  signal_target, sleep_in_calls, sleep_in_calls, sleep_in_calls, sleep_in_calls };

static void run_all(void) {
  pthread_t threads[12];
  struct sigaction action = { .sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO | SA_RESTART };
  pid_t makers = start(make_children), tracer = start(trace_child);
  CHECK(pipe(ping) == 0 && pipe(pong) == 0);
  sigaction(SIGUSR1, &action, 0);
  signal(SIGALRM, on_alarm);
  struct itimerval often = { { 0, 5000 }, { 0, 5000 } };
  CHECK(setitimer(ITIMER_REAL, &often, 0) == 0);
  for (long i = 0; i < 12; i++) {
    if (BODIES[i] == signal_target) target = threads[0];
    CHECK(pthread_create(&threads[i], 0, BODIES[i], (void *)(i < 8 ? i : i - 8)) == 0);
  }
  be_stopped("all");
  is_over = 1;
  for (int i = 1; i < 12; i++) pthread_join(threads[i], 0);
  is_target_over = 1;
  pthread_join(threads[0], 0);
  CHECK(sent == taken && alarms > 0);
  kill(makers, SIGTERM);
  kill(tracer, SIGTERM);
  CHECK(status_of(makers) == 0 && status_of(tracer) == 0);
}

static void run_busy(void) {
  pthread_t threads[10];
  for (long i = 0; i < 10; i++) pthread_create(&threads[i], 0, compute, (void *)i);
  be_stopped("busy");
  is_over = is_target_over = 1;
  for (int i = 0; i < 10; i++) pthread_join(threads[i], 0);
}

static void run_sleep(void) {
  pid_t pids[4];
  pthread_t thread;
  for (int i = 0; i < 4; i++) pids[i] = start(nap);
  pthread_create(&thread, 0, compute, (void *)1);
  be_stopped("sleep");
  is_over = 1;
  pthread_join(thread, 0);
  for (int i = 0; i < 4; i++) kill(pids[i], SIGTERM);
  for (int i = 0; i < 4; i++) CHECK(status_of(pids[i]) == 0);
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  self = argv[0];
  if (argc == 3) native_seconds = atoi(argv[2]);
  if (strcmp(mode, "count") == 0) return argc % 251;
  if (strcmp(mode, "all") == 0) run_all();
  else if (strcmp(mode, "busy") == 0) run_busy();
  else if (strcmp(mode, "sleep") == 0) run_sleep();
  else return 2;
  puts("as it was");
  return 0;
}
