/** `dvisor boot`: not for people; the launcher starts it. */

import { boot } from "../../boot/boot.ts";
import { openHeap } from "../../boot/v8_heap.ts";
import type { Command } from "../command.ts";

export const command: Command = {
  help: "dvisor boot is the kernel of one sandbox. It is started by the other verbs, not by you.",
  run: () => boot(openHeap()),
};
