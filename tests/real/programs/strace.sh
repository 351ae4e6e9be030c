# strace of a shell with children, by name, attached to a running process; faults it injects.
# needs: strace python3
# slow
cd "$WORK"
strace -f -o all -e trace=execve,exit_group sh -c '/bin/true; echo hi; (exit 3); /bin/false' > /dev/null
sed -E 's/^[0-9]+ +//; s/ +/ /g; s/0x[0-9a-f]+ \/\*.*\*\//VARS/; s/(SIGCHLD) \{.*/\1/' all | sort
strace -o one sh -c 'kill -TERM $$'; grep -c SIGTERM one; tail -n 1 one
strace -qq -e trace=openat -e inject=openat:error=EMFILE:when=3+ -o inject cat /etc/hostname 2>&1
echo "status $?"; tail -n 1 inject | sed 's/.*= //'
strace -qq -e trace=write -e inject=write:signal=USR1:when=1 -o signal sh -c 'trap "echo caught" USR1; echo x'
grep -c 'SIGUSR1' signal
python3 -c 'import time
while True: time.sleep(0.05)' & p=$!
sleep 0.5; timeout 3 strace -qq -p $p -e trace=clock_nanosleep -o attached 2> /dev/null
[ "$(grep -c 'clock_nanosleep' attached)" -gt 5 ] && echo attached; kill $p; wait $p 2> /dev/null; echo "ended $?"
strace -f -c -o count sh -c 'for i in 1 2 3; do /bin/true; done'; grep -E ' (execve|wait4)$' count | awk '{ print $4, $NF }' | sort
strace -f -ff -o each sh -c '/bin/true & wait'; ls each.* | wc -l
strace -y -e trace=read -o paths cat /etc/hostname > /dev/null; grep -c '</etc/hostname>' paths
strace -k -e trace=exit_group -o stack true 2> /dev/null; grep -c exit_group stack
