"""Blocks every signal without the kernel's knowledge, by the stub's own rt_sigreturn, and computes
for ever. SIGKILL must end it all the same.
"""

from hostile import *

native = Native()
text = stub_text()
site = text.find(bytes.fromhex("b80f0000000f05"))
assert site >= 0, "no rt_sigreturn in the stub"
SPIN = CODE_AT + PAGE - 16
sc(10, CODE_AT, PAGE, 7)
ctypes.memmove(SPIN, b"\xeb\xfe", 2)


def hidden(how):
    become_nobody()
    if how == "spin":
        native.go(SPIN, [0] * 15)
    # struct rt_sigframe behind a return address: ucontext with every signal blocked and rip at the
    # loop.
    uc = bytearray(968)
    struct.pack_into("<Q", uc, 296, (1 << 64) - 1)
    struct.pack_into("<Q", uc, 40 + 16 * 8, SPIN)
    struct.pack_into("<HHHH", uc, 40 + 18 * 8, 0x33, 0, 0, 0x2B)
    struct.pack_into("<Q", uc, 40 + 15 * 8, DATA_AT + 2048)
    stack = sc(9, 0, 1 << 16, 3, 0x22, -1 & (1 << 64) - 1, 0) + 32768
    ctypes.memmove(stack, bytes(uc), len(uc))
    # mov rsp, stack; jmp site
    raw = b"\x48\xbc" + struct.pack("<Q", stack) + b"\x48\xb8" + struct.pack("<Q", TEXT_AT + site) + b"\xff\xe0"
    ctypes.memmove(CODE_AT + 2048, raw, len(raw))
    ctypes.CFUNCTYPE(None)(CODE_AT + 2048)()


# A worker that only computes is stopped and killed at once.
pid = quietly(lambda: hidden("spin"))
time.sleep(0.1)
start = time.monotonic()
os.kill(pid, signal.SIGSTOP)
assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
os.kill(pid, signal.SIGKILL)
assert os.waitpid(pid, 0)[1] == signal.SIGKILL
assert time.monotonic() - start < 2, "a loop is no hiding place"

# A worker that hides from both signals dies, and no other does.
victim, stopped = quietly(lambda: hidden("sigreturn")), quietly(lambda: hidden("sigreturn"))
time.sleep(0.3)
assert os.waitpid(-1, os.WNOHANG) == (0, 0), "a hidden worker ended by itself"
start = time.monotonic()
os.kill(victim, signal.SIGKILL)
os.kill(stopped, signal.SIGSTOP)
while True:
    healthy()
    done, status = os.waitpid(victim, os.WNOHANG)
    if done:
        break
    time.sleep(0.1)
assert status == signal.SIGKILL, status
took = time.monotonic() - start
status = os.waitpid(stopped, os.WUNTRACED)[1]
assert os.WIFSTOPPED(status) or os.WIFSIGNALED(status), status
os.kill(stopped, signal.SIGKILL) if os.WIFSTOPPED(status) else None
assert time.monotonic() - start < 30
finish("killed after %.3f s" % took)
