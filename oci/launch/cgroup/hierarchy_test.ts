import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../user_error.ts";
import { parseCgroups } from "./hierarchy.ts";

const V1 = `
22 20 0:20 / /sys rw - sysfs sysfs rw
31 22 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
34 31 0:31 /docker/abc /sys/fs/cgroup/me\\040mory rw - cgroup cgroup rw,memory
`;
const OWN = "12:cpu,cpuacct:/user\n11:memory:/docker/abc\n1:name=systemd:/s\n";

Deno.test("v1: controllers may share a tree, and mount points have blanks", () => {
  const host = parseCgroups(V1, OWN);
  assertEquals(host.mode, "v1");
  assertEquals(host.v2, null);
  assertEquals([...host.v1.keys()], ["cpu", "cpuacct", "name=systemd", "memory"]);
  assertEquals(host.v1.get("cpuacct"), {
    mountPoint: "/sys/fs/cgroup/cpu,cpuacct",
    root: "/",
    own: "/user",
  });
  assertEquals(host.v1.get("memory"), {
    mountPoint: "/sys/fs/cgroup/me mory",
    root: "/docker/abc",
    own: "/docker/abc",
  });
});

Deno.test("hybrid: a v2 tree beside those of v1", () => {
  const line = "40 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";
  const host = parseCgroups(V1 + line, `${OWN}0::/x\n`);
  assertEquals(host.mode, "hybrid");
  assertEquals(host.v2, { mountPoint: "/sys/fs/cgroup/unified", root: "/", own: "/x" });
});

Deno.test("v2: one tree", () => {
  const line = "40 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  const host = parseCgroups(line, "0::/user.slice/a:b\n");
  assertEquals(host.mode, "v2");
  assertEquals(host.v2?.own, "/user.slice/a:b");
});

Deno.test("the first mount of a controller counts; a missing one is an error", () => {
  const second = "50 31 0:31 / /other rw - cgroup cgroup rw,memory\n";
  assertEquals(parseCgroups(V1 + second, OWN).v1.get("memory")?.root, "/docker/abc");
  assertThrows(() => parseCgroups("", "0::/\n"), UserError, "no control groups");
});
