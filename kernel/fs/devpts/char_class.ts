/**
 * The character classes of Linux's terminals: ASCII and Latin-1 (linux/ctype.h). Input editing and
 * output case conversion use them.
 */

export function isControl(c: number): boolean {
  return c < 32 || c === 127;
}

function isUpper(c: number): boolean {
  return (c >= 65 && c <= 90) || (c >= 192 && c <= 222 && c !== 215);
}

function isLower(c: number): boolean {
  return (c >= 97 && c <= 122) || (c >= 223 && c <= 255 && c !== 247);
}

export function isAlphanumeric(c: number): boolean {
  return (c >= 48 && c <= 57) || isUpper(c) || isLower(c);
}

export function toUpper(c: number): number {
  return isLower(c) ? c - 32 : c;
}

export function toLower(c: number): number {
  return isUpper(c) ? c + 32 : c;
}
