# bubblewrap: namespaces of every kind, a root made of binds, what is inside cannot be written.
# needs: bwrap python3 ip
# slow
# apart
. "$SOURCES/lib/server.sh"
b() { bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --die-with-parent "$@"; }
b true; echo "plain $?"; b sh -c 'touch /etc/x 2>&1; touch /tmp/x && ls /tmp; exit 5'; echo "status $?"
b --unshare-all sh -c 'echo "pid $$"; set -- /proc/[0-9]*; echo $#; ip -o link | wc -l; cat /proc/1/comm'
b --unshare-user --uid 1234 --gid 4321 id | cut -d ' ' -f 1,2
b --unshare-uts --hostname inner hostname; b --setenv A b --unsetenv HOME sh -c 'echo "$A ${HOME-none}"'
b --chdir /usr --dir /tmp/a/b --symlink b /tmp/a/c --file 5 /tmp/f sh -c 'pwd; ls -R /tmp; cat /tmp/f' 5<<< text
bwrap --bind "$WORK" /w --ro-bind /usr /usr --symlink usr/lib64 /lib64 --symlink usr/bin /bin \
  --symlink usr/lib /lib --proc /proc sh -c 'ls /; echo made > /w/made'; cat made
b --unshare-pid --as-pid-1 sh -c 'echo $$'; b --cap-drop ALL sh -c 'grep CapEff /proc/self/status'
b --unshare-user --cap-add CAP_NET_ADMIN --unshare-net sh -c 'ip link add d type dummy 2> /dev/null; ip -o link show lo | cut -c 1-20'
b --unshare-net python3 -c 'import socket
s = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(s.getsockname()); print("own loopback")'
b --info-fd 6 sh -c 'exit 0' 6> info; grep -c child-pid info; b --unshare-user --disable-userns unshare -U true 2>&1
mkdir low up work; echo low > low/a
bwrap --ro-bind / / --overlay-src low --tmp-overlay /mnt sh -c 'cat /mnt/a; echo up > /mnt/a; cat /mnt/a'; cat low/a
