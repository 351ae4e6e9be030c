/** The mount options of devpts (mount(8)). */

import { EINVAL } from "../../../ffi/abi/errno.ts";

export interface DevptsOptions {
  /** The owner of new terminals; -1: the user that opens the master. */
  uid: number;
  gid: number;
  /** The permissions of terminals, and of ptmx. */
  mode: number;
  ptmxMode: number;
  /** The most terminals at a time. */
  max: number;
}

/** LIMIT: as /proc/sys/kernel/pty/max of Linux. */
const MAX_TERMINALS = 4096;
const MAX_INDEX = 1 << 20;

/** Parses mount options; -EINVAL for an unknown option or a bad value. */
export function parseDevptsOptions(text: string): DevptsOptions | number {
  const options: DevptsOptions = {
    uid: -1,
    gid: -1,
    mode: 0o600,
    ptmxMode: 0,
    max: MAX_TERMINALS,
  };
  for (const part of text.split(",")) {
    if (part === "" || part === "newinstance") continue;
    const match = /^(uid|gid|mode|ptmxmode|max)=([0-9]{1,10})$/.exec(part);
    if (match === null) return -EINVAL;
    const key = match[1]!, digits = match[2]!, isOctal = key === "mode" || key === "ptmxmode";
    if (isOctal && /[89]/.test(digits)) return -EINVAL;
    const value = parseInt(digits, isOctal ? 8 : 10);
    if (key === "mode") options.mode = value & 0o777;
    else if (key === "ptmxmode") options.ptmxMode = value & 0o777;
    else if (key === "max") {
      if (value > MAX_INDEX) return -EINVAL;
      options.max = Math.min(value, MAX_TERMINALS);
    } else {
      if (value > 0xfffffffe) return -EINVAL;
      if (key === "uid") options.uid = value;
      else options.gid = value;
    }
  }
  return options;
}

/** The options as mountinfo shows them. */
export function showDevptsOptions(o: DevptsOptions): string {
  const parts: string[] = [];
  if (o.uid >= 0) parts.push(`uid=${o.uid}`);
  if (o.gid >= 0) parts.push(`gid=${o.gid}`);
  parts.push(`mode=${octal(o.mode)}`, `ptmxmode=${octal(o.ptmxMode)}`);
  if (o.max !== MAX_TERMINALS) parts.push(`max=${o.max}`);
  return parts.join(",");
}

function octal(mode: number): string {
  return mode.toString(8).padStart(3, "0");
}
