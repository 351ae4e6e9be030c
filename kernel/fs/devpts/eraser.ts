/**
 * Erasing typed input: the characters ERASE, WERASE and KILL with their echoes (eraser() of Linux's
 * n_tty). line_discipline.ts calls this.
 */

import * as T from "../../../ffi/abi/termios.ts";
import { isAlphanumeric, isControl } from "./char_class.ts";
import type { LineDiscipline } from "./line_discipline.ts";

const BS = 8, TAB = 9, LF = 10, SPACE = 32, BACKSLASH = 92, UNDERSCORE = 95;

/** Handles the typed character `c`, which is ERASE, WERASE or KILL. */
export function erase(line: LineDiscipline, c: number): void {
  const { settings, input } = line;
  if (input.isLineEmpty) return;
  const isErase = c === settings.char(T.VERASE);
  const isWord = !isErase && c === settings.char(T.VWERASE);
  if (!isErase && !isWord && !killsVisibly(line)) return;
  let sawWord = false;
  while (!input.isLineEmpty) {
    const at = lastCharacter(line);
    if (at < 0) break;
    const first = input.at(at);
    if (isWord) {
      if (isAlphanumeric(first) || first === UNDERSCORE) sawWord = true;
      else if (sawWord) break;
    }
    const length = input.head - at;
    input.head = at;
    if (settings.hasLocal(T.ECHO)) echoErased(line, first, length, isErase);
    if (isErase) break;
  }
  if (input.isLineEmpty && settings.hasLocal(T.ECHO)) line.finishErasing();
}

/**
 * KILL: true when each character has to be erased on the screen; else this function does it all.
 */
function killsVisibly(line: LineDiscipline): boolean {
  const { settings, input } = line;
  const visible = T.ECHOK | T.ECHOKE | T.ECHOE;
  if (settings.hasLocal(T.ECHO) && (settings.lflag & visible) === visible) return true;
  input.head = input.lineHead;
  if (!settings.hasLocal(T.ECHO)) return false;
  line.finishErasing();
  line.echo(settings.char(T.VKILL));
  if (settings.hasLocal(T.ECHOK)) line.output.echoes.raw(LF);
  return false;
}

/**
 * The position of the last character of the line, which may have several bytes; -1: its first byte
 * is missing.
 */
function lastCharacter(line: LineDiscipline): number {
  const { input } = line;
  let at = input.head - 1;
  while (isContinuation(line, input.at(at)) && at > input.lineHead) at--;
  return isContinuation(line, input.at(at)) ? -1 : at;
}

function isContinuation(line: LineDiscipline, c: number): boolean {
  return (c & 0xc0) === 0x80 && line.settings.hasInput(T.IUTF8);
}

/** Echoes the erasure of the character at the head of the input, of `length` bytes. */
function echoErased(line: LineDiscipline, first: number, length: number, isErase: boolean): void {
  const { settings, input } = line, { echoes } = line.output;
  if (settings.hasLocal(T.ECHOPRT)) {
    if (!line.isErasing) echoes.raw(BACKSLASH);
    line.isErasing = true;
    line.echo(first);
    for (let i = 1; i < length; i++) {
      echoes.raw(input.at(input.head + i));
      echoes.moveBack();
    }
  } else if (isErase && !settings.hasLocal(T.ECHOE)) {
    line.echo(settings.char(T.VERASE));
  } else if (first === TAB) {
    echoErasedTab(line);
  } else {
    const isShownLong = settings.hasLocal(T.ECHOCTL);
    if (isControl(first) && isShownLong) rubOut(line);
    if (!isControl(first) || isShownLong) rubOut(line);
  }
}

function rubOut(line: LineDiscipline): void {
  const { echoes } = line.output;
  echoes.raw(BS);
  echoes.raw(SPACE);
  echoes.raw(BS);
}

/**
 * Echoes the erasure of a tab, whose width depends on the columns in front of it: since the line's
 * start, or since the tab before.
 */
function echoErasedTab(line: LineDiscipline): void {
  const { input, settings } = line;
  let columns = 0, afterTab = false;
  for (let at = input.head; at > input.lineHead && !afterTab;) {
    const c = input.at(--at);
    if (c === TAB) afterTab = true;
    else if (isControl(c)) columns += settings.hasLocal(T.ECHOCTL) ? 2 : 0;
    else if (!isContinuation(line, c)) columns++;
  }
  line.output.echoes.eraseTab(columns, afterTab);
}
