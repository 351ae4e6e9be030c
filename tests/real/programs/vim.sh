# vim: edits by script and as a full-screen program on a terminal, its swap and recovery, a filter.
# needs: vim python3
# slow
cd "$WORK"
v() { vim -u NONE -N -i NONE "$@"; }
seq 200 > a; v -es -c '%s/^1/x/' -c 'g/5$/d' -c 'sort!' -c 'wq' a; echo "status $?"; md5sum < a; wc -l < a
v -es -c '%!sort -n | head -n 3' -c 'w b' -c 'q!' a; cat b; v -es -c 'r !echo from a shell' -c 'w! c' -c 'q!'; cat c
cat > drive.py <<'HERE'
import os, pty, re, select, signal, struct, fcntl, termios, time
def start(*argv):
    global fd, pid, seen
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execvp("vim", ["vim", "-u", "NONE", "-N", "-i", "NONE", *argv])
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0)); seen = b""
def until(text):
    global seen
    end = time.time() + 30
    while text not in seen:
        if not select.select([fd], [], [], max(0, end - time.time()))[0]: raise SystemExit("not seen: %r in %r" % (text, seen[-500:]))
        seen += os.read(fd, 4096)
    seen = seen[seen.index(text) + len(text):]
def ended():
    try:
        while os.read(fd, 4096): pass
    except OSError: pass
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
start("new"); until(b"new"); os.write(fd, b"ifirst\rsecond\x1bkdd:w\r"); until(b"written")
os.write(fd, b":q\r"); print("quit", ended(), open("new").read())
start("new"); until(b"second"); os.write(fd, b"othird\x1b:pre\r"); until(b"preserved")
os.kill(pid, signal.SIGKILL); print("killed", ended(), ".new.swp" in os.listdir("."))
start("-r", "new"); until(b"ecovery completed"); os.write(fd, b"\r:w! back\r"); until(b"written"); os.write(fd, b":q!\r"); ended()
print(open("back").read())
start("new"); until(b"ATTENTION"); os.write(fd, b"q"); print("swap seen", ended())
os.unlink(".new.swp")
start("new"); until(b"second"); fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("4H", 40, 132, 0, 0)); time.sleep(0.3)
os.write(fd, b":call writefile([&lines . 'x' . &columns], 'size')\r:q\r"); ended(); print(open("size").read())
start("new"); until(b"second"); os.write(fd, b"\x1a"); time.sleep(0.5); os.kill(pid, signal.SIGCONT); os.write(fd, b":w\r"); until(b"written")
os.write(fd, b":!echo sub''shell\r"); until(b"subshell"); os.write(fd, b"\r:q\r"); print("end", ended())
start("new"); until(b"second"); os.kill(pid, signal.SIGTERM); print("term", ended())
HERE
python3 drive.py
