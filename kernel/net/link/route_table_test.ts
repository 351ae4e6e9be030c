/** The table of routes beside a plain list, by seeded steps. */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { Random } from "../../../tests/harness/seeded.ts";
import { RTN_UNICAST } from "../../../ffi/abi/netlink.ts";
import { NetLab } from "../net_testing.ts";
import { MAPPED } from "../inet/address.ts";
import { isInNetwork, networkOf } from "./prefix.ts";
import type { Route } from "./route.ts";
import { RouteTable } from "./route_table.ts";

const { links: { lo } } = new NetLab().net;

function randomAddress(random: Random, isFour: boolean): string {
  const bytes = [10, random.below(2), random.below(2), random.below(4) << 6].map((n) =>
    String.fromCharCode(n)
  );
  return isFour ? MAPPED + bytes.join("") : "\x20\x01" + "\0".repeat(10) + bytes.join("");
}

function randomRoute(random: Random, isFour: boolean): Route {
  const bits = random.below(5) === 0 ? 0 : (isFour ? 0 : 96) + 6 + random.below(27);
  return {
    network: networkOf(randomAddress(random, isFour), bits),
    bits,
    metric: random.below(3),
    type: RTN_UNICAST,
    via: null,
    link: lo,
    source: null,
    scope: 0,
    protocol: 3,
    connected: random.below(3) > 0 ? null : lo.addresses[0]!,
  };
}

/** The first route of the longest prefix and least metric in a list by addition. */
function bestOf(routes: readonly Route[], address: string): Route | null {
  const there = routes.filter(({ network, bits }) => isInNetwork(address, network, bits));
  return there.toSorted((a, b) => b.bits - a.bits || a.metric - b.metric)[0] ?? null;
}

function inListOrder(routes: readonly Route[]): Route[] {
  return routes.toSorted((a, b) =>
    a.network < b.network ? -1 : a.network > b.network ? 1 : b.bits - a.bits || a.metric - b.metric
  );
}

for (const isFour of [true, false]) {
  Deno.test(`a table of routes agrees with a list (${isFour ? "IPv4" : "IPv6"})`, () => {
    const random = new Random(isFour ? 4 : 6), table = new RouteTable();
    let list: Route[] = [];
    for (let step = 0; step < 600; step++) {
      const choice = random.below(10);
      if (choice < 6) {
        const some = Array.from(
          { length: random.below(8) === 0 ? 40 : 1 },
          () => randomRoute(random, isFour),
        );
        table.add(some);
        list.push(...some);
      } else if (choice < 9 && list.length > 0) {
        const [gone] = list.splice(random.below(list.length), 1);
        table.remove(gone!);
      } else {
        const metric = random.below(3), added = list.filter(({ connected }) => connected === null);
        const is = (route: Route) => route.metric === metric && route.bits % 5 === 0;
        assertEquals(table.drop(is), added.filter(is).length);
        list = list.filter((route) => !is(route));
      }
      const address = randomAddress(random, isFour);
      assertStrictEquals(table.find(address, () => true), bestOf(list, address));
      assertEquals(table.addedCount, list.filter((route) => route.connected === null).length);
      const expected = isFour ? inListOrder(list) : list;
      const listed = table.listOf(isFour);
      assertEquals(listed.length, expected.length);
      listed.forEach((route, i) => assertStrictEquals(route, expected[i]!));
    }
    assertEquals(table.listOf(!isFour), []);
  });
}

Deno.test("a route that is not accepted gives way to the next one", () => {
  const table = new RouteTable(), random = new Random(1);
  const one = { ...randomRoute(random, true), network: MAPPED + "\x0a\0\0\0", bits: 8, metric: 0 };
  const all = [one, { ...one, metric: 5 }, { ...one, network: MAPPED + "\0\0\0\0", bits: 0 }];
  table.add(all);
  const address = MAPPED + "\x0a\x01\x02\x03";
  assertStrictEquals(table.find(address, (route) => route !== all[0]), all[1]!);
  assertStrictEquals(table.find(address, (route) => route === all[2]), all[2]!);
  assertEquals(table.find(address, () => false), null);
  assertEquals(table.ofNetwork(one.network, 8), all.slice(0, 2));
});

Deno.test("routes of one network are removed together, whatever their order", () => {
  const table = new RouteTable(), network = networkOf(randomAddress(new Random(1), false), 64);
  const routes = Array.from({ length: 4096 }, (_, i) => {
    return { ...randomRoute(new Random(i), false), network, bits: 64, metric: 4096 - i };
  });
  table.add(routes);
  let searches = 0;
  const list = table.ofNetwork(network, 64);
  Object.defineProperty(list, "lastIndexOf", { value: () => searches++ });
  table.drop(({ metric }) => metric > 1);
  assertEquals([table.ofNetwork(network, 64), searches], [[routes.at(-1)!], 0]);
  table.drop(() => true);
  assertEquals([table.ofNetwork(network, 64), table.listOf(false), table.addedCount], [[], [], 0]);
});
