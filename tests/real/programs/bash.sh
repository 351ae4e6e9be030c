# bash itself: pipelines, here-documents, traps, jobs, 500 forks, arrays, arithmetic, coprocesses.
# needs: bash
cd "$WORK"
echo "six stages:"
seq 1 5000 | grep 7 | sed 's/7/x/' | sort -r | head -n 100 | md5sum
cat <<HERE
here-document with $((1 + 2)) and $(echo a command)
HERE
cat <<'HERE'
quoted $HOME
HERE
cat <<< "here-string"
trap 'echo "trapped USR1"' USR1
trap 'echo "leaving with $?"' EXIT
kill -USR1 $$
(trap 'echo sub; exit 4' TERM; kill -TERM $BASHPID; sleep 1); echo "subshell $?"
for i in 1 2 3 4 5; do (sleep 0.0$i; exit $i) & pids[i]=$!; done
for i in 5 3 1 2 4; do wait "${pids[i]}"; echo "job $i gave $?"; done
n=0; for i in $(seq 500); do (exit $((i % 3))) || n=$((n + 1)); done; echo "500 forks, $n failed"
declare -A m=([one]=1 [two]=2); for k in one two; do echo "$k=${m[$k]}"; done
a=(x y z); echo "${#a[@]} ${a[*]} ${a[-1]}"
f() { local v=$1; echo "f $v $#"; return 3; }; f p q; echo "returned $?"
[[ "hello world" =~ ^h(.*)d$ ]] && echo "match ${BASH_REMATCH[1]}"
s=abcdef; echo "${s:2:3} ${s/cd/--} ${s^^} ${#s}"
exec 5> out; echo five >&5; exec 5>&-; cat out
exec 6< out; read -r line <&6; exec 6<&-; echo "read $line"
{ echo to stderr >&2; } 2>&1 | cat
diff <(seq 3) <(seq 4); echo "diff $?"
tee >(cat > copy) <<< "process substitution" > /dev/null
until [ -s copy ]; do sleep 0.01; done; cat copy
coproc C { while read -r x; do echo "co $x"; done; }
echo hi >&"${C[1]}"; read -r r <&"${C[0]}"; echo "$r"; exec {C[1]}>&-; wait "$C_PID"
false | true; echo "pipe ${PIPESTATUS[*]}"
set -o pipefail; false | true; echo "pipefail $?"
printf '%s\n' *.none out copy
mkfifo p; (echo through the fifo > p) & cat p; wait
ulimit -n 50; ulimit -n
(ulimit -f 1; head -c 100000 /dev/zero > big) 2> /dev/null; echo "limit $?"
bash -c 'exit 42'; echo "status $?"
bash -c 'kill -9 $$'; echo "killed $?"
nosuchcommand 2> /dev/null; echo "not found $?"
./out 2> /dev/null; echo "not executable $?"
timeout 0.1 sleep 5; echo "timeout $?"
x=$(for i in {1..200}; do echo -n "$i "; done); echo "${#x}"
read -t 0.05 -r y < <(sleep 0.3); echo "read timed out $((($? > 128)))"
exit 7
