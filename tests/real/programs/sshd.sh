# sshd and ssh: commands with their status, files both ways, ports forwarded, and a terminal whose
# size changes and whose keys reach the far side as signals.
# needs: sshd ssh ssh-keygen scp sftp python3 openssl
# apart
# slow
. "$SOURCES/lib/server.sh"
chmod 755 . && mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f id && cp id.pub allowed
cat > conf <<HERE
Port 2299
ListenAddress 127.0.0.1
HostKey $WORK/host
AuthorizedKeysFile $WORK/allowed
StrictModes no
UsePAM no
PermitRootLogin yes
PidFile $WORK/pid
Subsystem sftp internal-sftp
HERE
bg "$(command -v sshd)" -D -f conf -E log
cat > client <<HERE
Host far
HostName 127.0.0.1
Port 2299
User root
IdentityFile $WORK/id
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
LogLevel ERROR
HERE
until_ok ssh -F client far true
ssh -F client far 'id -u; echo error >&2; exit 7' 2>&1; echo "status $?"
seq 100000 | ssh -F client far sha256sum; ssh -F client far 'kill -9 $$'; echo "killed $?"
noise "$(pick 3000000 100000000)" > big; scp -q -F client big far:"$WORK/copy" && cmp big copy; echo "scp $?"
mkdir dir && seq 10 > dir/a && printf 'cd %s\nput a b\nls -1\nrename b c\n' "$WORK/dir" > batch
(cd dir && sftp -q -F ../client -b ../batch far) | grep -v '^sftp>'; ls dir
mkdir web && echo forwarded > web/x; bg python3 -m http.server -b 127.0.0.1 -d web 8111 > /dev/null 2>&1
bg ssh -F client -N -L 8112:127.0.0.1:8111 -R 8113:127.0.0.1:8111 far
ask() { python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read())' "$1"; }
for port in 8112 8113; do until_ok ask http://127.0.0.1:$port/x; ask http://127.0.0.1:$port/x; done
cat > keys.py <<'HERE'
import fcntl, os, pty, re, signal, struct, sys, termios, time
pid, fd = pty.fork()
if pid == 0: os.execvp("ssh", ["ssh", "-F", "client", "-tt", "far", "TERM=dumb bash --norc --noprofile"])
seen = b""
def until(pattern):
    global seen
    while not (m := re.search(pattern, seen, re.S)):
        try: seen += os.read(fd, 4096)
        except OSError: sys.exit("ended: %r" % seen[-300:])
    seen = seen[m.end():]
    return m.group(1 if m.re.groups else 0).decode().strip()
def size(rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
signal.alarm(60)
until(rb"[$#] ")
os.write(fd, b"PS1='re''ady> '; trap 'echo wi''nch' WINCH\n"); until(rb"ready> ")
os.write(fd, b"tty | cut -c 1-9; [ -t 0 ] && echo a-ter''minal\n"); print(until(rb"(/dev/pts/).*a-terminal")); until(rb"ready> ")
size(33, 101); os.write(fd, b"\n"); until(rb"winch"); os.write(fd, b"stty si''ze\n"); print(until(rb"(33 101)"))
os.write(fd, b"echo star''ted; sleep 50\n"); until(rb"started"); time.sleep(0.3); os.write(fd, b"\x03"); until(rb"ready> ")
os.write(fd, b"echo sta''tus=$?\n"); print(until(rb"(status=\d+)"))
os.write(fd, b"echo star''ted; sleep 50\n"); until(rb"started"); time.sleep(0.3); os.write(fd, b"\x1a"); until(rb"(Stopped)"); until(rb"ready> ")
os.write(fd, b"jobs; kill %1; wait\n"); print(until(rb"(Stopped\s+sleep 50)")); until(rb"ready> ")
os.write(fd, b"echo star''ted; cat > typed\n"); until(rb"started"); time.sleep(0.3)
os.write(fd, b"first li\x7f\x7fne\n\x04"); until(rb"ready> "); os.write(fd, b"cat -A typed\n"); print(until(rb"(first.*?\$)"))
os.write(fd, b"exit 5\n")
try:
    while os.read(fd, 4096): pass
except OSError: pass
print("ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
HERE
python3 keys.py
