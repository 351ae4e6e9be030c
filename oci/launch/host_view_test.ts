import { assertEquals, assertThrows } from "@std/assert";
import {
  hidingOf,
  type HostFiles,
  type HostView,
  hostView,
  type ViewRequest,
  wholeView,
} from "./host_view.ts";

const PASSWD = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
ann:x:1000:1000::/home/ann:/bin/bash
bob:x:1001:1001::/data/bob:/bin/bash
eve:x:1002:1002::/:/bin/sh
www:x:1003:1003::/usr/share/www:/bin/sh
gone:x:1004:1004::/data/gone:/bin/sh
nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin
`;

const MOUNTS = `22 27 0:20 / /sys rw,nosuid - sysfs sysfs rw
23 22 0:6 / /sys/kernel/debug rw - debugfs debugfs rw
24 27 0:21 / /proc rw shared:5 - proc proc rw
25 27 8:1 / /srv rw - ext4 /dev/sda1 rw
31 25 0:21 / /srv/image/proc rw master:5 shared:7 - proc proc rw
32 25 0:21 /sys /srv/a\\040b rw - proc proc rw
33 25 0:21 / /srv/gone rw - proc proc rw
`;

/**
 * A host where every path is there, but for those named "gone" and "nonexistent". /mnt/root is
 * /root, and /mnt/key a hard link of /srv/key.
 */
const FILES: HostFiles = {
  realPath: (path) =>
    /gone|nonexistent/.test(path) ? null : path.replace(/^\/link/, "/srv").replace(/(.)\/$/, "$1"),
  read: (path) => path === "/etc/passwd" ? PASSWD : path === "/proc/self/mountinfo" ? MOUNTS : "",
  identity: (path) => path.replace(/^\/mnt\/root$/, "/root").replace("/mnt/key", "/srv/key"),
};

function view(request: Partial<ViewRequest>): HostView {
  const all = {
    root: "/",
    cwd: "/",
    home: "/home/ann",
    showsHome: false,
    show: [],
    hide: [],
    prefix: "--",
  };
  return hostView({ ...all, ...request }, FILES);
}

const KERNEL = ["/dev", "/proc", "/sys", "/srv/image/proc", "/srv/a b"];

/** Without those of the kernel, which are hidden in any case. */
function paths(request: Partial<ViewRequest>): [hidden: string[], shown: string[]] {
  const { hidden, shown } = view(request), all = hidden.map(({ path }) => path);
  assertEquals(all.slice(0, KERNEL.length), KERNEL);
  return [all.slice(KERNEL.length), shown.map(({ path }) => path)];
}

const HOMES = ["/root", "/home", "/home/ann", "/data/bob"];

Deno.test("homes seem empty, wherever they are, and no directory of the system does", () => {
  assertEquals(paths({}), [HOMES, []]);
  assertEquals(paths({ home: "/root" })[0], ["/root", "/home", "/data/bob"]);
  for (const home of ["/", "/tmp", "/usr/lib", "/gone", null]) {
    assertEquals(paths({ home })[0], ["/root", "/home", "/data/bob"], String(home));
  }
  assertEquals(view({}).isPublic, true);
});

Deno.test("--home shows the caller's, and no other", () => {
  assertEquals(paths({ showsHome: true }), [["/root", "/home", "/data/bob"], ["/home/ann"]]);
});

Deno.test("the working directory is shown, unless it is the system's or has homes in it", () => {
  for (const cwd of ["/home/ann/app", "/srv/app", "/tmp/x", "/work", "/var/lib/ci", "/root/a"]) {
    assertEquals(paths({ cwd })[1], [cwd]);
  }
  const others = "/ /etc /etc/ssh /tmp /var /var/lib /run/x /home /home/ann /data /root /usr /gone";
  for (const cwd of others.split(" ")) assertEquals(paths({ cwd })[1], [], cwd);
  assertEquals(paths({ cwd: null })[1], []);
  assertEquals(paths({ cwd: "/link/app" })[1], ["/srv/app"]);
});

Deno.test("what --show names ends the hiding of homes in it; --hide holds", () => {
  assertEquals(paths({ show: ["/"] }), [[], ["/"]]);
  assertEquals(paths({ show: ["/home"], hide: ["/home/ann/.ssh"] }), [
    ["/root", "/data/bob", "/home/ann/.ssh"],
    ["/home"],
  ]);
  assertEquals(paths({ show: ["/link/x"], cwd: "/srv/x" })[1], ["/srv/x"]);
});

Deno.test("in another root nothing is hidden but what --hide names", () => {
  const other = view({ root: "/srv/image", cwd: "/root", hide: ["/etc/keys"], show: ["/etc"] });
  assertEquals([other.isPublic, other.hidden.length, other.shown.length], [false, 2, 1]);
  assertEquals(other.hidden.map(({ path }) => path), ["/proc", "/etc/keys"]);
  assertEquals(other.shown[0]?.path, "/etc");
});

Deno.test("file systems of the host's kernel are hidden in each root, whatever is shown", () => {
  assertEquals(paths({ show: ["/"], hide: ["/etc"] }), [["/etc"], ["/"]]);
  assertEquals(paths({ cwd: "/srv/image" })[1], ["/srv/image"]);
  for (const cwd of ["/srv/a b", "/srv/image/proc/1"]) assertEquals(paths({ cwd })[1], [], cwd);
  const whole = (root: string) => wholeView(root, FILES).hidden.map(({ path }) => path);
  assertEquals([whole("/"), whole("/srv/image"), whole("/usr")], [KERNEL, ["/proc"], []]);
});

Deno.test("--show of a home's other name shows it, a working directory there does not", () => {
  assertEquals(paths({ show: ["/mnt/root"] }), [["/home", "/home/ann", "/data/bob"], [
    "/mnt/root",
  ]]);
  assertEquals(paths({ cwd: "/mnt/root" }), [HOMES, []]);
});

Deno.test("paths that make no sense are errors with their names", () => {
  const cases: [Partial<ViewRequest>, string][] = [
    [{ show: ["x"] }, "--show x: the path is not absolute"],
    [{ showsHome: true, home: null }, "--home: HOME is not set"],
    [{ showsHome: true, home: "/gone" }, "--home: there is no /gone"],
    [{ hide: ["/gone"] }, "--hide /gone: there is no such file"],
    [{ hide: ["/srv/a"], show: ["/link/a"] }, "/srv/a is in --show and in --hide"],
    [
      { hide: ["/srv/key"], show: ["/mnt/key"] },
      "--show /mnt/key and --hide /srv/key are the same file",
    ],
    [{ show: ["/proc/sys"] }, "--show /proc/sys: a sandbox never sees"],
    [{ home: "/srv/a b", showsHome: true }, "--home /srv/a b: a sandbox never sees"],
  ];
  for (const [request, message] of cases) assertThrows(() => view(request), Error, message);
});

Deno.test("the longest path decides what hides a file", () => {
  const seen = view({ cwd: "/home/ann/app", hide: ["/home/ann/app/keys"] });
  const hiding = (path: string) => hidingOf(seen, path)?.path ?? null;
  assertEquals(["/home/ann/app/x", "/srv", "/roots"].map(hiding), [null, null, null]);
  assertEquals(hiding("/home/ann/x"), "/home/ann");
  assertEquals(hiding("/home/eve/x"), "/home");
  assertEquals(hiding("/home/ann/app/keys/k"), "/home/ann/app/keys");
});
