/**
 * Descriptors of the host that a sandbox was started with. In a copy they are closed until the boot
 * process gives it others (`HostFdInode.connect`). FIFOs of the host are refused, or stay closed.
 */

import { HostFile } from "../../fs/hostfd/host_file.ts";
import { HostFdInode } from "../../fs/hostfd/host_inode.ts";
import { mountedText } from "../../vfs/pathname.ts";
import type { ConvertedField } from "../graph/class_row.ts";
import { Refusal } from "../graph/graph_error.ts";
import { type MadeFields, ZERO } from "./field_rules.ts";

const DESCRIPTOR: Readonly<ConvertedField> = {
  save(object, { endsConnections = false }) {
    const { fd, isFifo, files } = object as HostFdInode;
    if (!isFifo || fd < 0 || endsConnections) return -1;
    const [path = null] = [...files].map((file) => file.path);
    throw new Refusal(`the FIFO ${path === null ? "" : mountedText(path)} of the host is open`);
  },
};

export const HOST_FD_FIELDS: readonly MadeFields[] = [
  {
    made: HostFdInode,
    fields: {
      armed: ZERO,
      fd: DESCRIPTOR,
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
