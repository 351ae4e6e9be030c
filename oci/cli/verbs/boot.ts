/** `dvisor boot`: the boot process. The launcher starts it; it is no verb for users. */

import { boot, hasSpec } from "../../boot/boot.ts";
import { openHeap } from "../../boot/v8_heap.ts";
import { usageError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  name: "boot",
  summary: "the kernel of one sandbox",
  usage: [""],
  description: "The kernel of one sandbox. The other verbs start it; it is no verb for users.",
  options: {},
  run() {
    if (!hasSpec()) {
      throw usageError("the other verbs start boot, it is no verb for users; try: dvisor help");
    }
    return boot(openHeap());
  },
});
