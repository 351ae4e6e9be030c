# make -j2 over twenty C files.
# needs: make gcc
cd "$WORK"
for i in $(seq 20); do echo "int f$i(int x) { return x + $i; }" > "f$i.c"; done
{ echo '#include <stdio.h>'; for i in $(seq 20); do echo "int f$i(int);"; done
  echo 'int main(void) { int x = 0;'; for i in $(seq 20); do echo "x = f$i(x);"; done; echo 'printf("%d\n", x); return 0; }'; } > main.c
cat > Makefile <<'HERE'
OBJS := $(patsubst %.c,%.o,$(sort $(wildcard *.c)))
prog: $(OBJS)
	@gcc -o $@ $^ && echo linked
%.o: %.c
	@gcc -O1 -c $< -o $@
clean:
	@rm -f *.o prog
.PHONY: clean
HERE
make -j2 && ./prog; make -j2; touch f3.c; sleep 0.01; make -j2 -n | grep -c gcc; make clean; ls *.o 2> /dev/null | wc -l
make nothing 2> /dev/null; echo "status $?"
