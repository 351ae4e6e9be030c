/** `dvisor boot`: the boot process. The launcher starts it; it is no verb for users. */

import { boot } from "../../boot/boot.ts";
import { openHeap } from "../../boot/v8_heap.ts";
import type { Command } from "../command.ts";

export const command: Command = {
  help: "dvisor boot is the kernel of one sandbox. It is started by the other verbs, not by you.",
  run: () => boot(openHeap()),
};
