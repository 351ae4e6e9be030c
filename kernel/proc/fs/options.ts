/** Mount options of proc(5): hidepid, gid, subset. */

import { EINVAL } from "../../../ffi/abi/errno.ts";

/**
 * hidepid: hide nothing of other users' processes, their files, the processes, or those that may
 * not be inspected.
 */
export const HIDEPID_OFF = 0,
  HIDEPID_NO_ACCESS = 1,
  HIDEPID_INVISIBLE = 2,
  HIDEPID_NOT_PTRACEABLE = 4;

/** The options of one mount. */
export interface ProcOptions {
  readonly hidepid: number;
  /** Members of this group see everything. */
  readonly gid: number;
  /** Only processes are shown, without files about the system. */
  readonly onlyPids: boolean;
}

const HIDEPID_NAMES: readonly (readonly [string, number])[] = [
  ["off", HIDEPID_OFF],
  ["noaccess", HIDEPID_NO_ACCESS],
  ["invisible", HIDEPID_INVISIBLE],
  ["ptraceable", HIDEPID_NOT_PTRACEABLE],
];

/**
 * Parses the data of mount(2), comma-separated; or -EINVAL. `base`: the options before a remount.
 */
export function parseProcOptions(text: string, base: ProcOptions | null): ProcOptions | number {
  let hidepid = base?.hidepid ?? HIDEPID_OFF, gid = base?.gid ?? 0;
  let onlyPids = base?.onlyPids ?? false;
  for (const option of text.split(",")) {
    if (option === "") continue;
    const [name, value = ""] = option.split("=", 2);
    if (name === "hidepid") {
      const known = HIDEPID_NAMES.find(([n, v]) => n === value || String(v) === value);
      if (known === undefined) return -EINVAL;
      hidepid = known[1];
    } else if (name === "gid" && /^\d{1,10}$/.test(value) && Number(value) <= 0xfffffffe) {
      gid = Number(value);
    } else if (name === "subset" && value === "pid") {
      onlyPids = true;
    } else {
      return -EINVAL;
    }
  }
  return { hidepid, gid, onlyPids };
}

/** The options as mountinfo shows them. */
export function optionsText({ hidepid, gid, onlyPids }: ProcOptions): string {
  const parts: string[] = [];
  if (gid !== 0) parts.push(`gid=${gid}`);
  const name = HIDEPID_NAMES.find(([, v]) => v === hidepid)?.[0];
  if (hidepid !== HIDEPID_OFF && name !== undefined) parts.push(`hidepid=${name}`);
  if (onlyPids) parts.push("subset=pid");
  return parts.join(",");
}
