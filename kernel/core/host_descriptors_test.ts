import { assert, assertEquals } from "@std/assert";
import { descriptorShare } from "./host_descriptors.ts";

Deno.test("a low limit of descriptors leaves some for files, and for sockets", () => {
  assertEquals([64, 256, 1024].map(descriptorShare), [16, 64, 256]);
});

Deno.test("a high limit keeps a descriptor for each stub", () => {
  for (const limit of [65536, 1 << 20]) assert(2 * descriptorShare(limit) <= limit - 8192 - 256);
});
