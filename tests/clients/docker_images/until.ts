/** Waiting for something in or of a container. Not a test. */

import type { Docker } from "../lib/docker.ts";

/** LIMIT: how long a program in a container may take to get where a test wants it. */
const PATIENCE_MS = 60_000;
const POLL_MS = 200;

/** Asks until there is an answer; gives it. */
export async function until<T>(what: string, ask: () => Promise<T | null>): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() > end) throw new Error(`in vain: ${what}`);
    await new Promise((done) => setTimeout(done, POLL_MS));
  }
}

/** Waits until a command of the client works; gives its output. */
export async function untilWorks(docker: Docker, ...args: readonly string[]): Promise<string> {
  let last = "";
  try {
    return await until(`docker ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await docker.run(args);
      last = stdout + stderr;
      return code === 0 ? stdout : null;
    });
  } catch (error) {
    throw new Error(`${error}: ${last.slice(-500)}`);
  }
}

/** Waits until a template of `docker inspect` gives this. */
export async function untilIs(docker: Docker, name: string, member: string, value: string) {
  let last = "";
  await until(`${member} of ${name} is ${value}`, async () => {
    last = await docker.inspect(name, member);
    return last === value ? last : null;
  }).catch((error) => {
    throw new Error(`${error}, but ${last}`);
  });
}
