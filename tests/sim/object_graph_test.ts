import { assertEquals } from "@std/assert";
import { heldGraph, nameOf } from "./object_graph.ts";

class Cache {
  readonly own: unknown[] = [new Leaf()];
}
class Host {
  readonly inside: Leaf = new Leaf();
}
class Leaf {}
class Owner {
  readonly cache: Cache;
  readonly byName: Map<string, unknown>;
  readonly call: () => void = () => {};

  constructor(cache: Cache) {
    this.cache = cache;
    this.byName = new Map<string, unknown>([["a", { cache: [cache] }], ["b", new Host()]]);
  }
}

Deno.test("a walk finds all holders of what is left out, through collections", () => {
  const owner = new Owner(new Cache()),
    is = (made: unknown) => (value: object) => value.constructor === made;
  const isLeftOut = (value: object) => is(Cache)(value) || is(Host)(value);
  const held = heldGraph(owner, is(Host), isLeftOut, (o, field) => `${nameOf(o)}.${field}`);
  assertEquals([...held.functions], ["Owner.call"]);
  assertEquals([...held.leftOut].map(([place, classes]) => [place, ...classes]), [
    ["Owner.cache", "Cache"],
    ["Owner.byName", "Host", "Cache"],
  ]);
  assertEquals([...held.objects.values()].filter((place) => place === "Cache.own").length, 2);
  assertEquals([...held.objects.keys()].map(nameOf).filter((name) => name === "Leaf").length, 1);
});
