/**
 * The ioctls that both sides of a terminal share (ioctl_tty(2)); at the master, settings and
 * foreground group are those of the slave. master_file.ts has those of the master alone;
 * job_control.ts has sessions.
 */

import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { EFAULT, EINVAL, EIO, ENOTTY, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import * as I from "../../../ffi/abi/ioctl.ts";
import { SIGTTOU, SIGWINCH } from "../../../ffi/abi/signal.ts";
import { majorOf, minorOf } from "../../../ffi/abi/stat.ts";
import { CLOCAL, N_TTY, VSTART, VSTOP, Winsize } from "../../../ffi/abi/termios.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { checkForeground, disassociate, hangUp, setControlling } from "./job_control.ts";
import type { Terminal } from "./terminal.ts";
import type { TerminalFile } from "./terminal_file.ts";
import { TerminalSettings, TERMIO, TERMIOS, TERMIOS2, TERMIOS_SIZES } from "./termios.ts";

const buf = new Uint8Array(64), dv = new DataView(buf.buffer);

export function terminalIoctl(
  file: TerminalFile,
  request: number,
  arg: number,
  user: UserMemory,
): number {
  const { terminal } = file;
  switch (request) {
    case I.TCGETS:
      return getSettings(terminal.settings, TERMIOS, arg, user);
    case I.TCGETS2:
      return getSettings(terminal.settings, TERMIOS2, arg, user);
    case I.TCGETA:
      return getSettings(terminal.settings, TERMIO, arg, user);
    case I.TIOCGLCKTRMIOS:
      return getSettings(terminal.locked, TERMIOS, arg, user);
    case I.TIOCSLCKTRMIOS:
      if (!terminal.hooks.isCapable(CAP_SYS_ADMIN)) return -EPERM;
      if (user.copyIn(buf, 0, arg, TERMIOS_SIZES[TERMIOS]!) < 0) return -EFAULT;
      terminal.locked.decode(TERMIOS, dv);
      return 0;
    // Output reaches the master at once, so there is nothing to wait for.
    case I.TCSETS:
    case I.TCSETSW:
      return setSettings(terminal, TERMIOS, false, arg, user);
    case I.TCSETSF:
      return setSettings(terminal, TERMIOS, true, arg, user);
    case I.TCSETS2:
    case I.TCSETSW2:
      return setSettings(terminal, TERMIOS2, false, arg, user);
    case I.TCSETSF2:
      return setSettings(terminal, TERMIOS2, true, arg, user);
    case I.TCSETA:
    case I.TCSETAW:
      return setSettings(terminal, TERMIO, false, arg, user);
    case I.TCSETAF:
      return setSettings(terminal, TERMIO, true, arg, user);
    case I.TCSBRK:
    case I.TCSBRKP:
    case I.TIOCSBRK:
      return file.isMaster ? 0 : checkForeground(terminal, SIGTTOU);
    case I.TIOCCBRK:
      return 0;
    case I.TCXONC:
      return controlFlow(file, arg);
    case I.TCFLSH:
      return flush(file, arg);
    case I.FIONREAD: {
      const n = file.isMaster ? terminal.output.queue.length : terminal.line.readable;
      return user.store32(arg, n);
    }
    case I.TIOCOUTQ:
      return user.store32(arg, 0);
    case I.TIOCGWINSZ:
      return getSize(terminal, arg, user);
    case I.TIOCSWINSZ:
      return setSize(terminal, arg, user);
    case I.TIOCEXCL:
    case I.TIOCNXCL:
      terminal.isExclusive = request === I.TIOCEXCL;
      return 0;
    case I.TIOCGEXCL:
      return user.store32(arg, terminal.isExclusive ? 1 : 0);
    case I.TIOCGETD:
      return user.store32(arg, N_TTY);
    case I.TIOCSETD:
      return setDiscipline(file, arg, user);
    case I.TIOCGDEV:
      return user.store32(arg, encodeDevice(terminal.rdev));
    case I.TIOCGSOFTCAR:
      return user.store32(arg, (terminal.settings.cflag & CLOCAL) !== 0 ? 1 : 0);
    case I.TIOCSSOFTCAR:
      return setSoftCarrier(terminal.settings, arg, user);
    case I.TIOCGPTPEER: // the master handles it before
      return -EIO;
    // A guest may not type into a terminal, as with dev.tty.legacy_tiocsti off.
    case I.TIOCSTI:
      return -EIO;
    case I.TIOCCONS:
      return file.isMaster ? -EINVAL : -EPERM;
    case I.TIOCVHANGUP:
      if (!terminal.hooks.isCapable(CAP_SYS_ADMIN)) return -EPERM;
      hangUp(terminal);
      return 0;
    default:
      return sessionIoctl(file, request, arg, user);
  }
}

/** TIOCSSOFTCAR: sets CLOCAL alone. */
function setSoftCarrier(settings: TerminalSettings, arg: number, user: UserMemory): number {
  if (user.copyIn(buf, 0, arg, 4) < 0) return -EFAULT;
  if (dv.getInt32(0, true) !== 0) settings.cflag |= CLOCAL;
  else settings.cflag &= ~CLOCAL;
  return 0;
}

function sessionIoctl(
  file: TerminalFile,
  request: number,
  arg: number,
  user: UserMemory,
): number {
  const { terminal } = file, { hooks } = terminal;
  switch (request) {
    case I.TIOCSCTTY:
      return setControlling(terminal, arg === 1, file.canRead);
    case I.TIOCNOTTY:
      if (file.isMaster || hooks.callerTerminal() !== terminal) return -ENOTTY;
      disassociate(terminal);
      return 0;
    case I.TIOCGPGRP:
      if (!file.isMaster && hooks.callerTerminal() !== terminal) return -ENOTTY;
      return user.store32(arg, terminal.foregroundPgid);
    case I.TIOCSPGRP:
      return setForeground(terminal, arg, user);
    case I.TIOCGSID:
      if (!file.isMaster && hooks.callerTerminal() !== terminal) return -ENOTTY;
      if (terminal.session === null) return -ENOTTY;
      return user.store32(arg, hooks.sessionNumber(terminal.session));
    default:
      return -ENOTTY;
  }
}

function getSettings(
  settings: TerminalSettings,
  form: number,
  arg: number,
  user: UserMemory,
): number {
  buf.fill(0);
  settings.encode(form, dv);
  return user.copyOut(arg, buf, 0, TERMIOS_SIZES[form]!);
}

function setSettings(
  terminal: Terminal,
  form: number,
  flushes: boolean,
  arg: number,
  user: UserMemory,
): number {
  const r = checkForeground(terminal, SIGTTOU);
  if (r < 0) return r;
  if (user.copyIn(buf, 0, arg, TERMIOS_SIZES[form]!) < 0) return -EFAULT;
  const next = new TerminalSettings();
  next.copy(terminal.settings);
  next.decode(form, dv);
  next.restoreLocked(terminal.settings, terminal.locked);
  if (flushes) terminal.flushLine();
  terminal.setSettings(next);
  return 0;
}

function setForeground(terminal: Terminal, arg: number, user: UserMemory): number {
  const { hooks } = terminal;
  const r = checkForeground(terminal, SIGTTOU);
  if (r < 0) return r === -EIO ? -ENOTTY : r;
  const pgid = user.load32(arg);
  if (pgid < 0) return -EFAULT;
  if ((pgid | 0) < 0) return -EINVAL;
  const session = hooks.callerSession();
  if (hooks.callerTerminal() !== terminal || terminal.session !== session) return -ENOTTY;
  const group = hooks.findGroup(pgid);
  if (group === null) return -ESRCH;
  if (group.session !== session) return -EPERM;
  terminal.foreground = group;
  return 0;
}

/** tcflow(3). At the master it stops and starts the slave's input. */
function controlFlow(file: TerminalFile, action: number): number {
  const { terminal } = file, { settings, output } = terminal;
  const r = file.isMaster ? 0 : checkForeground(terminal, SIGTTOU);
  if (r < 0) return r;
  switch (action) {
    case I.TCOOFF:
      if (file.isMaster) terminal.isInputStopped = true;
      else {
        terminal.stopOutput();
        output.isStoppedByCall = true;
      }
      return 0;
    case I.TCOON:
      if (file.isMaster) {
        terminal.isInputStopped = false;
        terminal.wakeMaster();
      } else if (output.isStoppedByCall) {
        output.isStoppedByCall = false;
        terminal.startOutput();
      }
      return 0;
    case I.TCIOFF:
      return sendControl(file, settings.char(VSTOP));
    case I.TCION:
      return sendControl(file, settings.char(VSTART));
    default:
      return -EINVAL;
  }
}

/** Sends a flow control character to the other side. */
function sendControl(file: TerminalFile, c: number): number {
  const { terminal } = file;
  if (c === 0) return 0;
  buf[0] = c;
  if (file.isMaster) terminal.typeInput(buf, 1);
  else terminal.sendDirectly(c);
  return 0;
}

/** tcflush(3). */
function flush(file: TerminalFile, queue: number): number {
  const { terminal } = file;
  const r = file.isMaster ? 0 : checkForeground(terminal, SIGTTOU);
  if (r < 0) return r;
  if (queue !== I.TCIFLUSH && queue !== I.TCOFLUSH && queue !== I.TCIOFLUSH) return -EINVAL;
  if (queue !== I.TCOFLUSH) {
    if (file.isMaster) terminal.flushMasterInput();
    else terminal.flushInput();
  }
  if (queue !== I.TCIFLUSH) {
    if (file.isMaster) terminal.flushMasterOutput();
    else terminal.flushOutput();
  }
  return 0;
}

function getSize(terminal: Terminal, arg: number, user: UserMemory): number {
  dv.setUint16(Winsize.at.row, terminal.rows, true);
  dv.setUint16(Winsize.at.col, terminal.columns, true);
  dv.setUint16(Winsize.at.xpixel, terminal.xpixel, true);
  dv.setUint16(Winsize.at.ypixel, terminal.ypixel, true);
  return user.copyOut(arg, buf, 0, Winsize.size);
}

function setSize(terminal: Terminal, arg: number, user: UserMemory): number {
  if (user.copyIn(buf, 0, arg, Winsize.size) < 0) return -EFAULT;
  resize(
    terminal,
    dv.getUint16(Winsize.at.row, true),
    dv.getUint16(Winsize.at.col, true),
    dv.getUint16(Winsize.at.xpixel, true),
    dv.getUint16(Winsize.at.ypixel, true),
  );
  return 0;
}

/** Sets the window size; the foreground group gets SIGWINCH if it changed. */
export function resize(
  terminal: Terminal,
  rows: number,
  columns: number,
  xpixel: number,
  ypixel: number,
): void {
  const isSame = terminal.rows === rows && terminal.columns === columns &&
    terminal.xpixel === xpixel && terminal.ypixel === ypixel;
  if (isSame) return;
  terminal.rows = rows;
  terminal.columns = columns;
  terminal.xpixel = xpixel;
  terminal.ypixel = ypixel;
  if (terminal.foreground !== null) terminal.hooks.signalGroup(terminal.foreground, SIGWINCH);
}

/** TIOCSETD: there is only N_TTY. */
function setDiscipline(file: TerminalFile, arg: number, user: UserMemory): number {
  const r = file.isMaster ? 0 : checkForeground(file.terminal, SIGTTOU);
  if (r < 0) return r;
  const wanted = user.load32(arg);
  if (wanted < 0) return -EFAULT;
  return wanted === N_TTY ? 0 : -EINVAL;
}

/** new_encode_dev of Linux. */
function encodeDevice(rdev: number): number {
  const minor = minorOf(rdev);
  return ((minor & 0xff) | (majorOf(rdev) << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
