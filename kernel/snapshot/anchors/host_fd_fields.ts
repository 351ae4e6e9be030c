/**
 * Descriptors of the host that a sandbox was started with. In a copy they are closed until the boot
 * process gives it others (`HostFdInode.connect`).
 */

import { HostFile } from "../../fs/hostfd/host_file.ts";
import { HostFdInode } from "../../fs/hostfd/host_inode.ts";
import { type MadeFields, ZERO } from "./field_rules.ts";

export const HOST_FD_FIELDS: readonly MadeFields[] = [
  {
    made: HostFdInode,
    fields: {
      armed: ZERO,
      fd: { value: -1 },
      isWatched: { value: false },
    },
  },
  {
    made: HostFile,
    fields: {
      // Of no descriptor: the next transfer sets it.
      hostPos: { value: -1 },
    },
  },
];
