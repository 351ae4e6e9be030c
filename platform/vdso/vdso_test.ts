/** The vDSO image and the page that drives it. */

import { assert, assertEquals } from "@std/assert";
import { buildVdso, CLOCK } from "./vdso.ts";
import { ClockPage, type ClockReading } from "./clock_page.ts";
import { SharedRegion } from "../../ffi/mem/shared_region.ts";

Deno.test("the vDSO image is a shared object with the clock functions", () => {
  const image = buildVdso();
  assertEquals(image.length % 4096, 0);
  assertEquals([...image.subarray(0, 4)], [0x7f, 0x45, 0x4c, 0x46]);
  const text = new TextDecoder("latin1").decode(image);
  for (
    const name of [
      "__vdso_clock_gettime",
      "__vdso_clock_getres",
      "__vdso_gettimeofday",
      "__vdso_time",
      "__vdso_getcpu",
      "LINUX_2.6",
    ]
  ) {
    assert(text.includes(name), name);
  }
});

/** A reading of a host whose clocks started together. */
function at(ns: number, tsc: number): ClockReading {
  return {
    tsc,
    monotonicNs: ns,
    realtimeSec: 1000 + Math.floor(ns / 1e9),
    realtimeNsec: ns % 1e9,
  };
}

/** The seconds and nanoseconds of a clock in the page. */
function shown(region: SharedRegion, clock: number): [number, number] {
  const word = (offset: number) => Number(region.dv.getBigUint64(clock + offset, true));
  return [word(0), word(8)];
}

Deno.test("the clock page never lets the clock step back", () => {
  const region = SharedRegion.create("clock-test", 4096);
  const page = new ClockPage(region.base, at(0, 0));
  page.update(at(1e7, 1e7)); // too short a baseline
  assertEquals(region.dv.getUint32(CLOCK.usable, true), 0);
  page.update(at(1e9, 1e9));
  assertEquals(region.dv.getUint32(CLOCK.usable, true), 1);
  assertEquals(region.dv.getUint32(CLOCK.seq, true), 2);
  // The counter ran 1% fast: shown time is 10 ms ahead of the host.
  page.update(at(2e9, 2.01e9));
  assertEquals(shown(region, CLOCK.monotonic), [2, 1e7]);
  assert(Number(region.dv.getBigUint64(CLOCK.mult, true)) < 2 ** 32);
  region.close();
});

Deno.test("an offset moves CLOCK_MONOTONIC of the clock page, and not CLOCK_REALTIME", () => {
  const region = SharedRegion.create("clock-test", 4096);
  const page = new ClockPage(region.base, at(5e9, 0));
  page.offsetNs = -4.5e9;
  page.update(at(6e9, 1e9));
  assertEquals(shown(region, CLOCK.monotonic), [1, 5e8]);
  assertEquals(shown(region, CLOCK.realtime), [1006, 0]);
  page.offsetNs = 1e15;
  page.update(at(6.5e9, 1.5e9));
  assertEquals(shown(region, CLOCK.monotonic), [1_000_006, 5e8]);
  assertEquals(shown(region, CLOCK.realtime), [1006, 5e8]);
  assertEquals(region.dv.getBigUint64(CLOCK.mult, true), 2n ** 32n, "the rate is the host's");
  region.close();
});
