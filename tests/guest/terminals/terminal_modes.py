"""Terminals, a setting, request or event a case: input, output, VMIN and VTIME, sessions, packets.
"""

import errno
import os
import pty
import re
import select
import signal
import termios

from lib.guest import *
from lib.operands import *

FLAGS = [
    dict(IGNBRK=1, BRKINT=2, IGNPAR=4, PARMRK=8, INPCK=16, ISTRIP=32, INLCR=64, IGNCR=128,
         ICRNL=256, IUCLC=512, IXON=1024, IXANY=2048, IXOFF=4096, IMAXBEL=8192, IUTF8=16384),
    dict(OPOST=1, OLCUC=2, ONLCR=4, OCRNL=8, ONOCR=16, ONLRET=32, OFILL=64, TAB3=0x1800),
    dict(PARENB=256, CREAD=128),
    dict(ISIG=1, ICANON=2, XCASE=4, ECHO=8, ECHOE=16, ECHOK=32, ECHONL=64, NOFLSH=128, TOSTOP=256,
         ECHOCTL=512, ECHOPRT=1024, ECHOKE=2048, EXTPROC=65536, IEXTEN=32768),
]
CC = 6


def pair(settings=""):
    """Opens a master and a slave, with words of settings: FLAG, -FLAG, VNAME=number."""
    m, s = pty.openpty()
    attrs = termios.tcgetattr(s)
    for word in settings.split():
        name, _, value = word.lstrip("-").partition("=")
        if value:
            attrs[CC][getattr(termios, name)] = bytes([int(value)])
            continue
        for i, names in enumerate(FLAGS):
            if name in names:
                attrs[i] = attrs[i] & ~names[name] | (0 if word[0] == "-" else names[name])
    # Python's tcsetattr takes VMIN and VTIME as numbers in noncanonical mode.
    if not attrs[3] & termios.ICANON:
        for i in (termios.VMIN, termios.VTIME):
            attrs[CC][i] = ord(attrs[CC][i]) if isinstance(attrs[CC][i], bytes) else attrs[CC][i]
    termios.tcsetattr(s, termios.TCSANOW, attrs)
    os.set_blocking(m, False)
    os.set_blocking(s, False)
    return m, s


def all_of(fd, reads=9):
    """Reads until nothing comes for a moment; a bar separates the reads."""
    parts = []
    while len(parts) < reads and select.select([fd], [], [], 0.03)[0]:
        try:
            parts.append(os.read(fd, 4096))
        except OSError as e:
            parts.append(errno.errorcode[e.errno].encode())
            break
        if not parts[-1]:
            break
    text = "|".join(re.sub("^b.(.*).$", r"\1", repr(part)) for part in parts)
    return re.sub("x{9,}", lambda found: "x*%d" % len(found.group()), text)


def input_of(settings, data):
    """Types data at the master; returns what the program reads, and what the terminal shows."""
    m, s = pair(settings)
    os.write(m, data)
    return all_of(s) + " shows " + all_of(m)


def output_of(settings, data):
    m, s = pair(settings + " -ECHO")
    os.write(s, data)
    return all_of(m)


INPUT = [
    ("line", "ab\\n shows ab\\r\\n", "", b"ab\n"),
    ("half a line", " shows ab", "", b"ab"),
    ("two lines", "a\\n|b\\n shows a\\r\\nb\\r\\n", "", b"a\nb\n"),
    ("carriage return", "a\\n|b\\n shows a\\r\\nb\\r\\n", "", b"a\rb\n"),
    ("carriage return kept", "a\\rb\\n shows a^Mb\\r\\n", "-ICRNL", b"a\rb\n"),
    ("carriage return ignored", "ab\\n shows ab\\r\\n", "IGNCR", b"a\rb\n"),
    ("newline to carriage return", "a\\rb\\n shows a^Mb\\r\\n", "INLCR", b"a\nb\r"),
    ("erase", "abd\\n shows abc\\x08 \\x08d\\r\\n", "", b"abc\x7fd\n"),
    ("erase without ECHOE", "abd\\n shows abc^?d\\r\\n", "-ECHOE", b"abc\x7fd\n"),
    ("erase with ECHOPRT", "ad\\n shows abc\\\\cb/d\\r\\n", "ECHOPRT", b"abc\x7f\x7fd\n"),
    ("erase at the start", "a\\n shows a\\r\\n", "", b"\x7fa\n"),
    ("erase of a tab", "a\\n shows \\t\\x08\\x08\\x08\\x08\\x08\\x08\\x08\\x08a\\r\\n", "", b"\t\x7fa\n"),
    ("erase of a control character", "a\\n shows ^A\\x08 \\x08\\x08 \\x08a\\r\\n", "", b"\x01\x7fa\n"),
    ("erase of two bytes", "ab\\n shows a\\xc3\\xa4\\x08 \\x08b\\r\\n", "IUTF8", b"a\xc3\xa4\x7fb\n"),
    ("erase of two bytes as bytes", "a\\xc3b\\n shows a\\xc3\\xa4\\x08 \\x08b\\r\\n", "-IUTF8", b"a\xc3\xa4\x7fb\n"),
    ("another erase", "abd\\n shows abc\\x08 \\x08d\\r\\n", "VERASE=35", b"abc#d\n"),
    ("no erase", "abc\\x7fd\\n shows abc^?d\\r\\n", "VERASE=0", b"abc\x7fd\n"),
    ("kill", "d\\n shows abc\\x08 \\x08\\x08 \\x08\\x08 \\x08d\\r\\n", "", b"abc\x15d\n"),
    ("kill without ECHOKE", "d\\n shows abc^U\\r\\nd\\r\\n", "-ECHOKE", b"abc\x15d\n"),
    ("kill without ECHOK", "d\\n shows abc^Ud\\r\\n", "-ECHOKE -ECHOK", b"abc\x15d\n"),
    ("word erase", "one x\\n shows one two\\x08 \\x08\\x08 \\x08\\x08 \\x08x\\r\\n", "", b"one two\x17x\n"),
    ("word erase of blanks", "one x\\n shows one two  \\x08 \\x08\\x08 \\x08\\x08 \\x08\\x08 \\x08\\x08 \\x08x\\r\\n", "", b"one two  \x17x\n"),
    ("word erase without IEXTEN", "one\\x17x\\n shows one^Wx\\r\\n", "-IEXTEN", b"one\x17x\n"),
    ("reprint", "abc\\n shows ab^R\\r\\nabc\\r\\n", "", b"ab\x12c\n"),
    ("literal next", "a\\x7fb\\n shows a^\\x08^?b\\r\\n", "", b"a\x16\x7fb\n"),
    ("literal next of newline", "a\\nb\\n shows a^\\x08^Jb\\r\\n", "", b"a\x16\nb\n"),
    ("literal next of interrupt", "a\\x03b\\n shows a^\\x08^Cb\\r\\n", "", b"a\x16\x03b\n"),
    ("literal next without IEXTEN", "a\\x16b\\n shows a^Vb\\r\\n", "-IEXTEN", b"a\x16b\n"),
    ("end of file", " shows ", "", b"\x04"),
    ("end of file behind text", "ab|cd\\n shows abcd\\r\\n", "", b"ab\x04cd\n"),
    ("end of file twice", "ab| shows ab", "", b"ab\x04\x04"),
    ("end of line", "ab;|cd\\n shows ab;cd\\r\\n", "VEOL=59", b"ab;cd\n"),
    ("second end of line", "ab!|cd\\n shows ab!cd\\r\\n", "VEOL2=33", b"ab!cd\n"),
    ("no end of line", "ab\\x00c\\n shows ab^@c\\r\\n", "", b"ab\x00c\n"),
    ("interrupt", "cd\\n shows ^Ccd\\r\\n", "", b"ab\x03cd\n"),
    ("interrupt that keeps", "abcd\\n shows ab^Ccd\\r\\n", "NOFLSH", b"ab\x03cd\n"),
    ("interrupt as a character", "ab\\x03cd\\n shows ab^Ccd\\r\\n", "-ISIG", b"ab\x03cd\n"),
    ("quit", "cd\\n shows ^\\\\cd\\r\\n", "", b"ab\x1ccd\n"),
    ("suspend", "cd\\n shows ^Zcd\\r\\n", "", b"ab\x1acd\n"),
    ("strip", "ab\\n shows ab\\r\\n", "ISTRIP", b"\xe1\xe2\n"),
    ("lower case", "abc\\n shows abc\\r\\n", "IUCLC", b"ABc\n"),
    ("lower case without IEXTEN", "ABc\\n shows ABc\\r\\n", "IUCLC -IEXTEN", b"ABc\n"),
    ("marked 255", "a\\xff\\xffb\\n shows a\\xffb\\r\\n", "PARMRK", b"a\xffb\n"),
    ("marked 255 that is stripped", "b\\n shows a\\x08 \\x08b\\r\\n", "PARMRK ISTRIP", b"a\xffb\n"),
    ("stop and start", "abc\\n shows abc\\r\\n", "", b"a\x13b\x11c\n"),
    ("stop", "ab\\n shows ", "", b"a\x13b\n"),
    ("stop and any", "ab\\n shows ab\\r\\n", "IXANY", b"a\x13b\n"),
    ("stop as a character", "a\\x13b\\n shows a^Sb\\r\\n", "-IXON", b"a\x13b\n"),
    ("no echo", "ab\\n shows ", "-ECHO", b"ab\n"),
    ("no echo but newline", "ab\\n shows \\r\\n", "-ECHO ECHONL", b"ab\n"),
    ("ECHONL without ICANON", "ab\\n shows ", "-ECHO ECHONL -ICANON VMIN=1", b"ab\n"),
    ("echo of control characters", "\\x01\\x1b\\t\\n shows ^A^[\\t\\r\\n", "", b"\x01\x1b\t\n"),
    ("echo of control characters as they are", "\\x01\\x1b\\t\\n shows \\x01\\x1b\\t\\r\\n", "-ECHOCTL", b"\x01\x1b\t\n"),
    ("echo without OPOST", "a\\n shows a\\n", "-OPOST", b"a\n"),
    ("echo in upper case", "ab\\n shows AB\\r\\n", "OLCUC", b"ab\n"),
    ("echo of delete", "\\x7f\\n shows ^?\\r\\n", "VERASE=35", b"\x7f\n"),
    ("characters", "ab\\x7f\\x15\\x04\\n shows ab^?^U^D\\r\\n", "-ICANON VMIN=1", b"ab\x7f\x15\x04\r"),
    ("characters with signals", "c shows ^Cc", "-ICANON VMIN=1", b"ab\x03c"),
    ("characters without signals", "ab\\x03c shows ab^Cc", "-ICANON -ISIG VMIN=1", b"ab\x03c"),
    ("characters with literal next", "c shows ^Cc", "-ICANON VMIN=1", b"a\x16\x03c"),
    ("characters of a processed line", "ab\\x7f\\x03\\n shows ", "EXTPROC", b"ab\x7f\x03\n"),
    ("line of 4096", "x*4095\\n shows ", "-ECHO", b"x" * 4095 + b"\n"),
]

OUTPUT = [
    ("newline", "a\\r\\nb", "", b"a\nb"),
    ("newline as it is", "a\\nb", "-ONLCR", b"a\nb"),
    ("newline without OPOST", "a\\nb\\tc", "-OPOST", b"a\nb\tc"),
    ("carriage return to newline", "a\\nb", "OCRNL", b"a\rb"),
    ("no carriage return at the start", "a\\rb", "ONOCR", b"\ra\r\rb"),
    ("newline returns", "a\\nb", "-ONLCR ONLRET ONOCR", b"a\n\rb"),
    ("tabs to blanks", "a       b\\r\\n        c", "TAB3", b"a\tb\n\tc"),
    ("tabs behind a backspace", "abc\\x08      c", "TAB3", b"abc\x08\tc"),
    ("tabs behind control characters", "\\x01\\x02        c", "TAB3", b"\x01\x02\tc"),
    ("tabs behind two bytes", "\\xc3\\xa4       c", "TAB3 IUTF8", b"\xc3\xa4\tc"),
    ("upper case", "ABC\\xc4", "OLCUC", b"abC\xe4"),
    ("fill", "a\\r\\n", "OFILL", b"a\n"),
    ("255", "\\xff", "PARMRK", b"\xff"),
    ("nothing", "", "", b""),
]


def timed(settings, typed, asked, waits=False):
    """Returns the results of reads of these numbers of bytes."""
    m, s = pair("-ICANON -ECHO " + settings)
    os.write(m, typed)
    select.select([s], [], [], 0.03 if typed else 0)
    os.set_blocking(s, waits)
    found = []
    for n in asked:
        at = buf()
        r = sc(NR.read, s, at, n)
        found.append(spell(r) if r < 0 else repr(ctypes.string_at(at, r))[2:-1] + ".")
    return " ".join(found)


def readiness(settings, typed):
    m, s = pair("-ICANON -ECHO " + settings)
    os.write(m, typed)
    return int(bool(select.select([s], [], [], 0.03)[0]))


READS = [
    ("min 1", "ab. c. EAGAIN", "VMIN=1 VTIME=0", b"abc", [2, 2, 2]),
    ("min 0", "ab. c. .", "VMIN=0 VTIME=0", b"abc", [2, 2, 2]),
    ("min 0 waits not", ".", "VMIN=0 VTIME=0", b"", [2], True),
    ("min 0 waits for time", ".", "VMIN=0 VTIME=1", b"", [2], True),
    ("min 0 with time and something", "abc.", "VMIN=0 VTIME=1", b"abc", [9], True),
    ("min 5 of 3 without waiting", "abc. EAGAIN", "VMIN=5 VTIME=0", b"abc", [9, 9]),
    ("min 5 and time of 3", "abc.", "VMIN=5 VTIME=1", b"abc", [9], True),
    ("min 5 asked for 2", "ab. c.", "VMIN=5 VTIME=0", b"abc", [2, 1], True),
    ("min 3 of 3", "abc.", "VMIN=3 VTIME=0", b"abc", [9], True),
    ("min 3 asked for nothing", ". abc.", "VMIN=3 VTIME=0", b"abc", [0, 3], True),
    ("min 255 without waiting", "abc.", "VMIN=255 VTIME=0", b"abc", [9]),
    ("min 0 time 255 without waiting", "EAGAIN", "VMIN=0 VTIME=255", b"", [9]),
]

READY = [
    ("nothing", "0", "VMIN=1 VTIME=0", b""),
    ("nothing of min 0", "0", "VMIN=0 VTIME=0", b""),
    ("one of 1", "1", "VMIN=1 VTIME=0", b"a"),
    ("one of 3", "0", "VMIN=3 VTIME=0", b"a"),
    ("three of 3", "1", "VMIN=3 VTIME=0", b"abc"),
    ("one of 3 with time", "1", "VMIN=3 VTIME=1", b"a"),
    ("one of 0 with time", "1", "VMIN=0 VTIME=1", b"a"),
]


@cases(INPUT)
def typing(expected, settings, data):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    eq(input_of(settings, data), expected)


@cases(OUTPUT)
def printing(expected, settings, data):
    eq(output_of(settings, data), expected)


@cases(READS)
def reads(expected, *row):
    eq(timed(*row), expected)


@cases(READY)
def ready(expected, *row):
    judged(expected, lambda: readiness(*row))


run()
