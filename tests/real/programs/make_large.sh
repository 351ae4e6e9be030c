# make -j4 of a generated C program (50,000 lines in a long run), built again after changes.
# needs: make gcc perl
# slow
cd "$WORK"
files=20 functions=50; [ "$FULL" = 1 ] && files=100 functions=100
export files functions
perl -e '
  my ($files, $functions) = @ENV{qw(files functions)};
  for my $i (0 .. $files - 1) {
    open my $c, ">", "f$i.c"; print $c qq(#include "all.h"\n);
    for my $k (0 .. $functions - 1) {
      my $call = $i ? "f" . ($i - 1) . "_$k(x ^ $k)" : "x";
      print $c "unsigned f${i}_$k(unsigned x) {\n  unsigned s = $call;\n",
        "  for (unsigned j = 0; j < x % 7u; j++)\n    s = s * 31u + j;\n  return s + ${k}u;\n}\n";
    }
  }
  open my $h, ">", "all.h"; open my $m, ">", "main.c";
  for my $i (0 .. $files - 1) { print $h "unsigned f${i}_$_(unsigned x);\n" for 0 .. $functions - 1 }
  print $m qq(#include <stdio.h>\n#include "all.h"\nint main(void) {\n  unsigned s = 0;\n);
  print $m "  s ^= f", $files - 1, "_$_(${_}u);\n" for 0 .. $functions - 1;
  print $m qq(  printf("%u\\n", s);\n  return 0;\n}\n);'
cat > Makefile <<'HERE'
objects := $(patsubst %.c,%.o,$(wildcard *.c))
prog: $(objects); $(CC) -o $@ $^
%.o: %.c all.h; $(CC) -O1 -MMD -c -o $@ $<
-include $(wildcard *.d)
HERE
cat f*.c main.c all.h | wc -l
make -j4 prog | sort | sha256sum; ./prog; sha256sum < prog
make prog; touch f3.c; make -j4 prog; rm f5.o; make -j4 | wc -l
echo broken >> f7.c; make -k -j4 prog > out 2>&1; echo "status $?"; grep -c 'Error 1' out
