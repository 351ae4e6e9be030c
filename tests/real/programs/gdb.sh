# gdb: breakpoints with conditions, steps, frames, watchpoints, threads, forks, calls into the
# program, attaching, a core file it writes and reads.
# needs: gdb gcc
# slow
cd "$WORK"
cat > t.c <<'HERE'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int total;
int fact(int n) { return n <= 1 ? 1 : n * fact(n - 1); }
void *body(void *p) { __sync_fetch_and_add(&total, *(int *)p); return p; }
int main(int argc, char **argv) {
  int x = 7;
  pthread_t t;
  pthread_create(&t, 0, body, &x);
  pthread_join(t, 0);
  total += fact(4);
  if (argc > 1) { if (fork() == 0) _exit(total); int s; wait(&s); printf("child %d\n", WEXITSTATUS(s)); }
  printf("total %d\n", total);
  if (argc > 2) raise(SIGSEGV);
  while (argc > 3) pause();
  return 0;
}
HERE
gcc -g -O0 -pthread t.c -o t
# tell ARGUMENTS COMMAND...: runs gdb with these commands; addresses and numbers of threads go.
tell() {
  local arguments=$1 c list=(); shift
  for c; do list+=(-ex "$c"); done
  HOME="$WORK" gdb -q -nx -batch -ex 'set debuginfod enabled off' -ex 'set startup-with-shell off' \
    -ex 'set disable-randomization off' "${list[@]}" --args ./t $arguments 2>&1 |
    grep -vE '^(warning|\[|Using host|Temporary|$)' |
    sed -E 's/ +/ /g; s/^( 1 Thread ).*/\1/; s/0x[0-9a-f]+/ADDR/g; s/(process|LWP|Thread ADDR) \(?(LWP )?[0-9]+\)?/\1/g'
}
tell "" 'break fact if n == 1' run bt 'up 4' 'print x' 'print total' delete 'frame 0' finish 'print fact(5)' continue
tell "" 'break 15' run 'watch total' continue continue 'info watchpoints' delete continue
tell "1 2" run bt 'print $_siginfo.si_signo' 'print total' 'generate-core-file core' kill
HOME="$WORK" gdb -q -nx -batch -ex bt -ex 'print total' ./t core 2>&1 | grep -E '^\$1|main \(' | sed -E 's/0x[0-9a-f]+/ADDR/g'
[ "$FULL" = 1 ] || exit 0
# The first thread is still at clone, or has come to join.
tell "" 'break body' run 'info threads' 'thread apply 2 -q bt 1' 'print *(int *)p' 'set var *(int *)p = 1000' delete continue
tell "1" 'set follow-fork-mode child' 'catch fork' run 'continue'
tell "" 'break main' run stepi stepi 'next' 'next' 'info registers rip' kill | sed -E 's/ADDR +ADDR.*/ADDR/'
