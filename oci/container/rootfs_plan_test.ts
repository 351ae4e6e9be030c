import { assertEquals, assertThrows } from "@std/assert";
import { readConfig } from "../spec/config.ts";
import { JsonNode } from "../json_node.ts";
import { UserError } from "../user_error.ts";
import { splitOverlayOptions } from "./overlay_options.ts";
import { planRootfs } from "./rootfs_plan.ts";

function plan(more: object, dir: string, kind: "none" | "memory" = "none") {
  const config = {
    ociVersion: "1.2.0",
    root: { path: "rootfs" },
    process: { args: ["x"], cwd: "/" },
    ...more,
  };
  return planRootfs(readConfig(new JsonNode("config.json", "", config)), dir, {
    overlay: { kind },
    id: "c",
  });
}

function inBundle(body: (dir: string) => void): void {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-plan-" });
  try {
    for (const name of ["rootfs", "low", "up", "work"]) Deno.mkdirSync(`${dir}/${name}`);
    body(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("host paths become trees, each of them read-only or writable", () => {
  inBundle((dir) => {
    const bind = (source: string, ...options: string[]) => ({
      destination: "/x",
      type: "bind",
      source,
      options,
    });
    const mounts = [bind("low", "rbind", "ro"), bind(`${dir}/up`, "bind")];
    const { root, goferRoots, mounts: specs, files } = plan({ mounts }, dir);
    assertEquals(root, { goferAttach: "/", readonly: false, overlay: "none" });
    assertEquals(goferRoots, [
      { name: "/", path: `${dir}/rootfs`, isReadOnly: false },
      {
        name: "/x",
        path: `${dir}/low`,
        isReadOnly: true,
        isFlat: false,
        follows: false,
        connects: false,
        binds: false,
      },
      {
        name: "/x (2)",
        path: `${dir}/up`,
        isReadOnly: false,
        isFlat: true,
        follows: false,
        connects: false,
        binds: false,
      },
    ]);
    assertEquals(specs.map((m) => [m.type, m.goferAttach]), [["gofer", "/x"], ["gofer", "/x (2)"]]);
    assertEquals(files.devices, []);
  });
});

Deno.test("a container that writes into memory, or not at all, cannot write to the host", () => {
  inBundle((dir) => {
    const readonly = plan({ root: { path: "rootfs", readonly: true } }, dir);
    assertEquals(readonly.root, { goferAttach: "/", readonly: true, overlay: "memory" });
    assertEquals(readonly.goferRoots[0]?.isReadOnly, true);
    const memory = plan({}, dir, "memory");
    assertEquals(memory.root, { goferAttach: "/", readonly: false, overlay: "memory" });
    assertEquals(memory.goferRoots[0]?.isReadOnly, true);
  });
});

Deno.test("layers of an overlay are trees; only the upper one can be written", () => {
  inBundle((dir) => {
    const options = [`lowerdir=${dir}/low:${dir}/work,upperdir=${dir}/up`, `workdir=${dir}/work`];
    const mounts = [{ destination: "/o", type: "overlay", source: "overlay", options }];
    const { goferRoots, mounts: specs } = plan({ mounts }, dir);
    assertEquals(specs[0]?.layers, {
      lower: ["/o (lower)", "/o (lower) (2)"],
      upper: "/o (upper)",
    });
    assertEquals(goferRoots.map((root) => root.isReadOnly), [false, true, true, false]);
    const bad = [{ destination: "/o", type: "overlay", options: ["upperdir=/x"] }];
    assertThrows(() => plan({ mounts: bad }, dir), UserError, "mounts[0].options");
  });
});

Deno.test("an error names the JSON path of a missing file", () => {
  inBundle((dir) => {
    const mounts = [{ destination: "/x", source: "/no/such", options: ["bind"] }];
    const message = "config.json: mounts[0].source: /no/such: no such file or directory";
    assertThrows(() => plan({ mounts }, dir), UserError, message);
    const many = { destination: "/x", source: "low", options: ["bind"] };
    const tooMany = "mounts[4095].source is one path too many";
    assertThrows(() => plan({ mounts: new Array(4096).fill(many) }, dir), UserError, tooMany);
    const root = { path: "nothing" };
    assertThrows(() => plan({ root }, dir), UserError, "root.path");
    Deno.writeTextFileSync(`${dir}/file`, "");
    assertThrows(() => plan({ root: { path: "file" } }, dir), UserError, "not a directory");
  });
});

Deno.test("limits of a control group become those that cgroup v2 has", () => {
  inBundle((dir) => {
    const limits = (resources: object) => plan({ linux: { resources } }, dir).files.cgroup;
    assertEquals(limits({}), {});
    const memory = { limit: 1 << 20, swap: 3 << 20, reservation: 4096 };
    assertEquals(limits({ memory }), { memoryMax: 1 << 20, swapMax: 2 << 20, memoryLow: 4096 });
    assertEquals(limits({ memory: { limit: -1, swap: -1 }, pids: { limit: 0 } }), {});
    const cpu = { shares: 1024, quota: 5000, cpus: "0-1" };
    assertEquals(limits({ cpu, pids: { limit: 9 } }), {
      ...{ cpuWeight: 100, cpuQuotaUs: 5000, cpuPeriodUs: 100000, cpus: "0-1", pidsMax: 9 },
    });
  });
});

Deno.test("a weight is that of the host's group: by unified, idle or shares", () => {
  inBundle((dir) => {
    const weight = (resources: object) =>
      plan({ linux: { resources } }, dir).files.cgroup.cpuWeight;
    assertEquals(weight({ cpu: { quota: 5000 } }), undefined);
    assertEquals(weight({ cpu: { shares: 2 } }), 1);
    assertEquals(weight({ cpu: { shares: 262_144 } }), 10_000);
    assertEquals(weight({ cpu: { shares: 1024, idle: 1 } }), 1);
    assertEquals(weight({ cpu: { shares: 1024 }, unified: { "cpu.weight": "300" } }), 300);
    assertEquals(weight({ unified: { "cpu.weight": "99999" } }), 10_000);
  });
});

Deno.test("colons and commas in names of layers may be escaped", () => {
  assertEquals(splitOverlayOptions(["lowerdir=/a\\:b:/c,upperdir=/d\\,e", "workdir=/w"]), {
    lower: ["/a:b", "/c"],
    upper: "/d,e",
  });
  assertEquals(splitOverlayOptions(["lowerdir=/a::/b"]), null);
  assertEquals(splitOverlayOptions(["upperdir=/a"]), null);
});
