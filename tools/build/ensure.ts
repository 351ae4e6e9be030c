/** Builds when the binaries are missing or old: what other tasks call first. */

import { isStale } from "./staleness.ts";

/** Whether `dist/` is up to date now. The build prints what is wrong when it is not. */
export async function ensureBuilt(root: string): Promise<boolean> {
  if (!isStale(root)) return true;
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `${root}/tools/build/main.ts`],
    cwd: root,
    stdin: "null",
  }).spawn().status;
  return success;
}
