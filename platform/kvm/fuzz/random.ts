/** Numbers that a seed repeats. */

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to n - 1, for n up to 2^24. */
  below(n: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return (this.#state >>> 8) % n;
  }

  /** True once in n times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  byte(): number {
    return this.below(256);
  }

  word(): number {
    return (this.below(0x10000) * 0x10000 + this.below(0x10000)) >>> 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** DVISOR_SEED, or a new seed for each run. */
export function fuzzSeed(): number {
  return Number(Deno.env.get("DVISOR_SEED") ?? Math.floor(Math.random() * 2 ** 31));
}
