/**
 * Which blocks of the kernel's source have run, asked of V8's own profiler in this process (the
 * inspector's `Profiler.takePreciseCoverage`). A question costs some 10 ms, so it is asked for a
 * batch of programs, and for each program of a batch that ran something new.
 */

import { Session } from "node:inspector";

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}
interface Script {
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly Range[] }[];
}

export class Coverage {
  readonly #session: Session = new Session();
  /** "file:start:end" of blocks that ran. */
  readonly #seen: Set<string> = new Set();

  constructor() {
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  get blocks(): number {
    return this.#seen.size;
  }

  /** Counters begin anew. */
  async reset(): Promise<void> {
    await this.#take();
  }

  /**
   * How many blocks ran since the last question that never ran before; they are known from now on
   * if `keep`.
   */
  async news(keep: boolean): Promise<number> {
    let count = 0;
    for (const { url, functions } of await this.#take()) {
      if (!url.includes("/kernel/") || url.includes("/tests/")) continue;
      const file = url.slice(url.indexOf("/kernel/"));
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count: runs } of ranges) {
          if (runs === 0) continue;
          const key = `${file}:${startOffset}:${endOffset}`;
          if (this.#seen.has(key)) continue;
          count++;
          if (keep) this.#seen.add(key);
        }
      }
    }
    return count;
  }

  #take(): Promise<readonly Script[]> {
    return new Promise((resolve, reject) => {
      this.#session.post("Profiler.takePreciseCoverage", (error, reply) => {
        if (error !== null) reject(new Error(`no coverage: ${error.message}`));
        else resolve(reply.result);
      });
    });
  }

  close(): void {
    this.#session.post("Profiler.stopPreciseCoverage");
    this.#session.disconnect();
  }
}
