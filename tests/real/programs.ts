/**
 * The scripts of `programs/`. Not a test. A script begins with comments: what it is, "# needs:
 * COMMAND...", "# slow" if ptrace is to run it only in full, "# long" if that holds for systrap
 * too, and "# apart" if it changes the system or serves at fixed ports: then it runs natively on a
 * copy of the root (lib/apart.sh). It works in $WORK; $SOURCES is this folder, and $FULL is 1 in a
 * full run, which does more of the same.
 */

import { ROOT } from "../harness/dvisor.ts";
import { isFull } from "../harness/machine.ts";

export const SOURCES = `${ROOT}/tests/real`;
const FOLDER = `${SOURCES}/programs`;

export interface Program {
  readonly name: string;
  readonly path: string;
  readonly needs: readonly string[];
  readonly isSlow: boolean;
  readonly isLong: boolean;
  readonly isApart: boolean;
}

export function programs(): Program[] {
  const names = [...Deno.readDirSync(FOLDER)].map((entry) => entry.name);
  return names.filter((name) => name.endsWith(".sh")).sort().map((name) => {
    const path = `${FOLDER}/${name}`, text = Deno.readTextFileSync(path);
    return {
      name: name.slice(0, -3),
      path,
      needs: (/^# needs: (.*)$/m.exec(text)?.[1] ?? "").split(" "),
      isSlow: /^# slow$/m.test(text),
      isLong: /^# long$/m.test(text),
      isApart: /^# apart$/m.test(text),
    };
  });
}

/**
 * All runs of a script get the same environment, so that nothing of the caller's changes the
 * output.
 */
export function environment(work: string): Record<string, string> {
  const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const home = Deno.env.get("HOME") ?? "/", full = isFull ? "1" : "";
  return {
    PATH: path,
    WORK: work,
    LANG: "C.UTF-8",
    TERM: "dumb",
    SOURCES,
    USER_HOME: home,
    FULL: full,
  };
}
