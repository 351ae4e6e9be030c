import type { Command } from "./command.ts";
export const command: Command = { help: "", run: () => 1 };
