/** Opens files for clients; one that seems empty (backend/visible_part.ts) is an empty file. */

import type { ExportRoot } from "../backend/export_root.ts";
import { openHeld, openToDonate } from "../backend/open.ts";
import type { Service } from "./service.ts";

/** As openHeld. */
export function openKept(
  { emptyFd, proc }: Service,
  { isReadOnly }: ExportRoot,
  fd: number,
  type: number,
  flags: number,
  isEmptied: boolean,
): number {
  return openHeld(isEmptied ? emptyFd : fd, type, flags, isReadOnly || isEmptied, proc);
}

/** As openToDonate. */
export function openDonated(
  { emptyFd, policy, proc }: Service,
  { isReadOnly }: ExportRoot,
  fd: number,
  type: number,
  flags: number,
  isEmptied: boolean,
): number {
  const content = isEmptied ? emptyFd : fd;
  const isFixed = isReadOnly || isEmptied;
  return openToDonate(content, type, flags, isFixed, policy.donateDirectories, proc);
}
