# gcc builds C programs, which run; ar, a shared library, a debugger's symbols.
# needs: gcc
cd "$WORK"
cat > a.c <<'HERE'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <unistd.h>
#include <sys/wait.h>
#include <math.h>
extern int twice(int);
static void *body(void *p) { int *n = p; for (int i = 0; i < 1000; i++) __sync_fetch_and_add(n, 1); return 0; }
int main(int argc, char **argv) {
  int n = 0; pthread_t t[8];
  for (int i = 0; i < 8; i++) pthread_create(&t[i], 0, body, &n);
  for (int i = 0; i < 8; i++) pthread_join(t[i], 0);
  printf("threads %d twice %d args %d %s sqrt %.6f\n", n, twice(21), argc, argv[1], sqrt(2));
  fflush(stdout);
  int fds[2]; pipe(fds);
  if (fork() == 0) { dprintf(fds[1], "child"); _exit(5); }
  int st; wait(&st); char b[10] = {0}; read(fds[0], b, 9);
  printf("%s %d\n", b, WEXITSTATUS(st));
  char *m = malloc(50 << 20); memset(m, 7, 50 << 20); long s = 0;
  for (int i = 0; i < 50 << 20; i += 4096) s += m[i]; printf("%ld\n", s);
  return 17;
}
HERE
echo 'int twice(int x) { return 2 * x; }' > b.c
gcc -O2 -Wall -Wno-unused-result -Wno-misleading-indentation -c a.c -o a.o && gcc -O2 -fPIC -shared b.c -o libb.so && gcc a.o -o dyn -L. -lb -Wl,-rpath,"$WORK" -lm -pthread
./dyn one two; echo "status $?"
gcc -c b.c -o b.o && ar rcs libb2.a b.o && gcc a.o libb2.a -o stat -static -lm -pthread && ./stat x; echo "status $?"
gcc -O3 a.c b.c -o both -lm -pthread && nm both | grep -c ' T '; ./both y; echo "status $?"
echo 'int main(void) { return x; }' > bad.c; gcc bad.c -o bad 2> err; echo "gcc $?"; grep -c error err
echo 'int main(void) { *(int *)0 = 1; }' > crash.c; gcc crash.c -o crash 2> /dev/null; ./crash; echo "crash $?"
