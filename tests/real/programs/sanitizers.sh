# What finds faults in programs: sanitizers of clang and gcc, valgrind's tools, profiles, another emulator.
# needs: clang gcc valgrind gprof gcov ltrace qemu-x86_64
# long
cd "$WORK" || exit 99
cat > a.c <<HERE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
int g;
void *w(void *p) { g++; return 0; }
int main(int c, char **v) {
  if (!strcmp(v[1], "freed")) { char *p = malloc(10); free(p); p[c] = 1; }
  if (!strcmp(v[1], "overflow")) { int x = 0x7fffffff; x += c; printf("%d\n", x); }
  if (!strcmp(v[1], "race")) { pthread_t t; pthread_create(&t, 0, w, 0); g++; pthread_join(t, 0); }
  if (!strcmp(v[1], "unset")) { int *p = malloc(8); puts(p[1] ? "x" : "y"); free(p); }
  if (!strcmp(v[1], "leak")) { void *volatile p = malloc(100); p = 0; }
  if (!strcmp(v[1], "stack")) { char b[8]; volatile int i = 8 + c; b[i] = 1; printf("%d\n", b[i]); }
  if (!strcmp(v[1], "null")) { *(volatile int *)8 = 1; }
  puts("end"); return 0; }
HERE
kinds() { grep -aoE 'ERROR: [A-Za-z]*: [a-z-]*|WARNING: [A-Za-z]*: [a-z -]*|runtime error: [a-z ]*|definitely lost|Invalid write of size .|Conditional jump|Possible data race|^end$' | sort | uniq -c; }
try() { # COMPILER OPTION CASE...
  local case; "$1" -g -O0 -pthread "$2" a.c -o a.out; echo "== $1 $2"; shift 2
  for case in "$@"; do ./a.out "$case" > out 2>&1; echo "$case $?"; kinds < out; done
}
try clang -fsanitize=address freed stack leak null none; try clang -fsanitize=thread race none
try clang -fsanitize=memory unset none; try clang -fsanitize=undefined overflow; try clang -fsanitize=leak leak
try gcc -fsanitize=address freed; try gcc -fsanitize=thread race
gcc -g -O0 -pthread a.c -o p
for case in freed unset leak null; do valgrind -q --leak-check=full ./p $case > out 2>&1; echo "memcheck $case $?"; kinds < out; done
for tool in helgrind drd massif callgrind; do valgrind -q --tool=$tool ./p none 2>&1 | kinds; done
valgrind -q --tool=helgrind ./p race 2>&1 | grep -c 'Possible data race'
gcc -pg a.c -o gp && ./gp none && gprof gp gmon.out | head -n 1; gcc --coverage a.c -o gc && ./gc none && gcov gc-a.c | grep Lines | head -n 1
ltrace -e puts ./p none 2>&1 | grep -o 'puts("end")'; qemu-x86_64 ./p race; qemu-x86_64 ./p null > /dev/null 2>&1; echo "qemu $?"
