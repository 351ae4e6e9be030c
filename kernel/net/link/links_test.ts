import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { EEXIST, EHOSTUNREACH, EINVAL, ENETUNREACH } from "../../../ffi/abi/errno.ts";
import { RTN_UNICAST } from "../../../ffi/abi/netlink.ts";
import { NET_OBJECTS } from "../../core/quota.ts";
import { MAPPED } from "../inet/address.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { NetLab } from "../net_testing.ts";
import { changeSetting } from "./link_settings.ts";
import type { Link } from "./link.ts";
import { broadcastOf, isInNetwork, networkOf } from "./prefix.ts";
import { findNamespace, UNANSWERED } from "./reach.ts";

function v4(text: string): string {
  return MAPPED + String.fromCharCode(...text.split(".").map(Number));
}

function namespace(): NetNamespace {
  return new NetLab().net;
}

/** Connect two namespaces by links that are up, with these addresses in networks of 24 bits. */
function join(a: NetNamespace, addressA: string, b: NetNamespace, addressB: string): Link {
  const one = a.links.add("veth", ""), two = b.links.add("veth", "");
  if (typeof one === "number" || typeof two === "number") throw new Error("no link");
  one.peer = two;
  two.peer = one;
  for (const [link, text] of [[one, addressA], [two, addressB]] as const) {
    link.table.setUp(link, true);
    if (text !== "") give(link, text);
  }
  return one;
}

function give(link: Link, text: string): void {
  const address = v4(text), common = { scope: 0, broadcast: null, label: link.name, origin: 0 };
  assertEquals(link.table.addAddress(link, { address, prefix: 24, peer: address, ...common }), 0);
}

Deno.test("networks of addresses", () => {
  assertEquals(networkOf(v4("10.1.2.3"), 24), v4("10.1.2.0"));
  assertEquals(networkOf(v4("10.1.2.255"), 25), v4("10.1.2.128"));
  assertEquals(networkOf(v4("10.1.2.3"), 0), v4("0.0.0.0"));
  assertEquals(broadcastOf(v4("10.1.2.3"), 20), v4("10.1.15.255"));
  assertEquals(isInNetwork(v4("10.1.2.3"), v4("10.1.3.3"), 23), true);
  assertEquals(isInNetwork(v4("10.1.2.3"), v4("10.1.3.3"), 24), false);
  assertEquals(isInNetwork("\0".repeat(16), v4("0.0.0.0"), 0), false);
});

Deno.test("names are as Linux has them", () => {
  const { links } = namespace();
  for (const name of ["", ".", "..", "a/b", "a b", "a:b", "x".repeat(16)]) {
    assertEquals(name === "" || links.add("dummy", name) === -EINVAL, true, name);
  }
  assertEquals(links.add("dummy", "lo"), -EEXIST);
  const link = links.add("dummy", "x%d");
  assertEquals(typeof link === "number" ? link : link.name, "x0");
});

Deno.test("a packet goes where its address is, and back out of a ring", () => {
  const a = namespace(), b = namespace(), c = namespace();
  const link = join(a, "10.0.1.1", b, "10.0.1.2");
  assertEquals(findNamespace(a, v4("10.0.1.2")), b);
  assertEquals(findNamespace(b, v4("10.0.1.1")), a);
  assertEquals(findNamespace(a, v4("10.0.1.3")), UNANSWERED);
  assertEquals(findNamespace(a, v4("10.0.2.1")), -ENETUNREACH);
  join(b, "10.0.2.1", c, "10.0.2.2");
  const route = { metric: 0, source: null, scope: 0, protocol: 3, connected: null };
  const anywhere = { type: 1, network: v4("0.0.0.0"), bits: 0, ...route };
  a.links.addRoute({ ...anywhere, via: v4("10.0.1.2"), link }, false, false);
  // No namespace forwards packets.
  assertEquals(findNamespace(a, v4("10.0.2.2")), -EHOSTUNREACH);
  assertEquals(changeSetting(b.links, "ipv4", "all", "forwarding", 1), 0);
  assertEquals(findNamespace(a, v4("10.0.2.2")), c);
  // Each routes unknown addresses to the other.
  b.links.addRoute({ ...anywhere, via: v4("10.0.1.1"), link: link.peer! }, false, false);
  assertEquals(findNamespace(a, v4("10.0.9.9")), -EHOSTUNREACH);
  link.table.setUp(link, false);
  assertEquals(findNamespace(a, v4("10.0.1.2")), -ENETUNREACH);
});

Deno.test("bridges that form a ring do not hold a packet for ever", () => {
  const nets = [namespace(), namespace()], [x, y] = nets;
  const bridges = nets.map(({ links }) => {
    const bridge = links.add("bridge", "br");
    if (typeof bridge === "number") throw new Error("no bridge");
    links.setUp(bridge, true);
    return bridge;
  });
  for (let i = 0; i < 2; i++) {
    const link = join(x!, "", y!, "");
    assertEquals(x!.links.enslave(link, bridges[0]!), 0);
    assertEquals(y!.links.enslave(link.peer!, bridges[1]!), 0);
  }
  give(bridges[0]!, "10.3.0.1");
  assertEquals(findNamespace(x!, v4("10.3.0.2")), UNANSWERED);
  give(bridges[1]!, "10.3.0.2");
  assertEquals(findNamespace(x!, v4("10.3.0.2")), y);
});

Deno.test("the end of a namespace visits and frees each route once", () => {
  const net = namespace(), { links } = net, before = NET_OBJECTS.countOf(TEST_ACCOUNT);
  let looks = 0;
  for (let i = 0; i < 100; i++) join(net, "", net, "");
  const route = {
    type: RTN_UNICAST,
    bits: 32,
    via: null,
    get link(): Link {
      looks++;
      return links.lo;
    },
    source: null,
    scope: 0,
    protocol: 3,
    connected: null,
  };
  for (let metric = 1; metric <= 500; metric++) {
    const one = Object.create(route, {
      network: { value: v4("10.9.9.9") },
      metric: { value: metric },
    });
    assertEquals(links.addRoute(one, false, false), 0);
  }
  looks = 0;
  const own = links.lo.addresses.length;
  net.drop();
  assertEquals([links.links, links.routes.addedCount, looks], [[links.lo], 0, 0]);
  assertEquals(NET_OBJECTS.countOf(TEST_ACCOUNT), before - own);
});
