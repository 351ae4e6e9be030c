/** `dvisor version`, which is `dvisor --version`. */

import { VERSION_TEXT } from "../../version.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  name: "version",
  summary: "show the version",
  usage: [""],
  description: "Shows the versions of dvisor and of the OCI runtime specification.",
  options: {},
  run() {
    console.log(VERSION_TEXT);
    return 0;
  },
});
