/** Podman's networks, shared namespaces and users. Not a test. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { describe } from "../../harness/dvisor.ts";
import { lacks } from "../../harness/machine.ts";
import { type EngineCase, until } from "../engines/engine_case.ts";
import { IMAGE, type Podman } from "./podman.ts";

const WEB = "mkdir /w; echo hello >/w/index.html; exec httpd -f -p 80 -h /w";
const FETCH = "wget -T 5 -qO- ";

/** Fetches a page of a web server in a container, from another container. */
async function fetched(p: Podman, url: string, ...options: string[]): Promise<void> {
  let last = "";
  await until(`hello from ${url}`, async () => {
    const result = await p.call("run", "--rm", ...options, IMAGE, "sh", "-c", FETCH + url);
    last = result.stdout + result.stderr;
    return last.includes("hello");
  }).catch((error) => {
    throw new Error(`${error.message}: ${last}`);
  });
}

const NETWORK_CASES: readonly EngineCase<Podman>[] = [
  {
    name: "--network none has loopback alone, which works",
    async run(p) {
      const script = "ls /sys/class/net; httpd -p 80 -h /etc; wget -qO- http://127.0.0.1/hostname";
      const text = await p.shell(script, "--network", "none", "--hostname", "alone");
      assertEquals(text.trim().split("\n"), ["lo", "alone"]);
    },
  },
  {
    name: "--network host has the host's links",
    async run(p) {
      const { stdout } = await p.host(["ip", "-o", "link"]);
      const text = await p.shell("ip -o link", "--network", "host");
      assertEquals(text.trim().split("\n").length, stdout.trim().split("\n").length);
    },
  },
  {
    name: "a bridge: an address, a way to another container, and out to the host",
    async run(p) {
      const name = await p.background(WEB, "--network", "bridge");
      const address = await p.inspect(name, "{{.NetworkSettings.IPAddress}}");
      assertMatch(address, /^10\./);
      assertMatch(await p.must("exec", name, "ip", "addr", "show", "eth0"), new RegExp(address));
      await fetched(p, `http://${address}/`, "--network", "bridge");
    },
  },
  {
    name: "a published port is answered on the host",
    lacking: lacks(["curl"]),
    async run(p) {
      const name = await p.background(WEB, "-p", "18080:80");
      assertMatch(await p.must("port", name), /80\/tcp -> 0\.0\.0\.0:18080/);
      const gateway = await p.inspect(name, "{{.NetworkSettings.Gateway}}");
      const address = p.isRootless ? "127.0.0.1" : gateway;
      await until("hello", async () => {
        const result = await p.host(["curl", "-s", "-m", "3", `http://${address}:18080/`]);
        return result.stdout.includes("hello");
      });
    },
  },
  {
    name: "containers of a network find each other by name",
    async run(p) {
      await p.must("network", "create", "net1");
      try {
        await p.background(WEB, "--network", "net1", "--network-alias", "web");
        await fetched(p, "http://web/", "--network", "net1");
      } finally {
        await p.sweep();
        await p.must("network", "rm", "-f", "net1");
      }
    },
  },
  {
    name: "a network is connected to a running container, and disconnected",
    async run(p) {
      await p.must("network", "create", "net2");
      try {
        const name = await p.background("sleep 1000", "--network", "bridge");
        const links = () => p.must("exec", name, "ls", "/sys/class/net");
        assert(!(await links()).includes("eth1"));
        await p.must("network", "connect", "net2", name);
        assertMatch(await p.must("exec", name, "ip", "addr", "show", "eth1"), /inet 10\./);
        await p.must("network", "disconnect", "net2", name);
        assert(!(await links()).includes("eth1"));
      } finally {
        await p.sweep();
        await p.must("network", "rm", "-f", "net2");
      }
    },
  },
  {
    name: "--network container: shares links and loopback",
    async run(p) {
      const name = await p.background(WEB, "--network", "bridge");
      await fetched(p, "http://127.0.0.1/", "--network", `container:${name}`);
    },
  },
  {
    name: "--add-host, --dns, --mac-address and --ip",
    async run(p) {
      const options = ["--network", "bridge", "--add-host", "other:10.1.2.3", "--dns", "10.9.9.9"];
      const more = ["--mac-address", "92:d0:c6:0a:29:33", "--ip", "10.88.0.77"];
      const text = await p.shell(
        "cat /etc/hosts /etc/resolv.conf; ip addr show eth0",
        ...options,
        ...more,
      );
      for (const part of ["10.1.2.3\tother", "nameserver 10.9.9.9", "92:d0:c6", "10.88.0.77"]) {
        assertStringIncludes(text, part);
      }
    },
  },
];

const NAMESPACE_CASES: readonly EngineCase<Podman>[] = [
  {
    name: "--pid container: sees the other's processes and may end them",
    async run(p) {
      const name = await p.background("sleep 4321; echo over; exec sleep 1000");
      const text = await p.shell("ps; kill -9 $(pidof sleep)", "--pid", `container:${name}`);
      assertStringIncludes(text, "sleep 4321");
      await p.logged(name, "over");
    },
  },
  {
    name: "--ipc container: shares /dev/shm",
    async run(p) {
      const name = await p.background("echo shm >/dev/shm/x; sleep 1000", "--ipc", "shareable");
      await until("x", async () => (await p.call("exec", name, "cat", "/dev/shm/x")).code === 0);
      assertEquals(await p.shell("cat /dev/shm/x", "--ipc", `container:${name}`), "shm\n");
    },
  },
  {
    name: "--uts host and --uts container:",
    async run(p) {
      assertEquals((await p.shell("hostname", "--uts", "host")).trim(), Deno.hostname());
    },
  },
  {
    name: "--pid host: the sandbox's own processes only",
    notRunc: "its host is the host",
    async run(p) {
      const text = await p.shell("ps", "--pid", "host");
      assert(!text.includes("conmon"), text);
    },
  },
  {
    name: "--uidmap: users of the container are others on the host",
    notRootless: "its ids are few",
    async run(p) {
      const folder = p.folder("mapped");
      const maps = ["--uidmap", "0:100000:2000", "--gidmap", "0:100000:2000"];
      const script = "id -u; touch /d/x; stat -c %u /d/x /bin/sh";
      const text = await p.shell(script, ...maps, "-v", `${folder}:/d`);
      assertEquals(text, "0\n0\n0\n");
      assertEquals(Deno.statSync(`${folder}/x`).uid, 100000);
    },
  },
  {
    name: "--uidmap with a bridge, a user, exec and cp",
    notRootless: "its ids are few",
    async run(p) {
      const maps = ["--uidmap", "0:100000:2000", "--gidmap", "0:100000:2000"];
      const name = await p.background(WEB, ...maps, "--network", "bridge");
      assertMatch(await p.must("exec", "-u", "1000", name, "id", "-u"), /^1000\n/);
      assertMatch(await p.must("exec", name, "ip", "addr", "show", "eth0"), /inet 10\./);
      await p.must("cp", p.file("mapped-in", "in\n"), `${name}:/tmp/in`);
      assertEquals(await p.must("exec", name, "cat", "/tmp/in"), "in\n");
    },
  },
  {
    name: "--userns auto and nomap need ids that root has been given",
    async run(p) {
      const result = await p.call("run", "--rm", "--userns", "auto", IMAGE, "id", "-u");
      const isHere = result.code === 0;
      if (isHere) assertEquals(result.stdout, "0\n");
      else assertMatch(result.stderr, /subuid|containers|user ns|userns/i, describe(result));
    },
  },
  {
    name: "--cgroupns, --cgroup-parent and what /sys/fs/cgroup shows",
    notRootless: "its control groups are root's",
    async run(p) {
      const parent = "/dvisor-podman-test";
      const name = await p.background("sleep 1000", "--cgroup-parent", parent, "--memory", "99m");
      const pid = await p.inspect(name, "{{.State.Pid}}");
      assertStringIncludes(Deno.readTextFileSync(`/proc/${pid}/cgroup`), parent);
      await p.must("rm", "-f", "-t", "0", name);
    },
  },
  {
    name: "systemd as the manager of control groups",
    lacking: hasSystemd() ? null : "no systemd on this machine",
    async run(p) {
      const argv = p.argv("--cgroup-manager", "systemd", "run", "--rm", "--memory", "64m", IMAGE);
      const result = await p.host([...argv, "cat", "/proc/1/cgroup"]);
      assertEquals(result.code, 0, describe(result));
    },
  },
];

function hasSystemd(): boolean {
  try {
    return Deno.statSync("/run/systemd/system").isDirectory;
  } catch {
    return false;
  }
}

export const PLACE_CASES: readonly EngineCase<Podman>[] = [...NETWORK_CASES, ...NAMESPACE_CASES];
