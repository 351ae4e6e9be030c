/** A root directory with busybox, and what clients import images from. Not a test. */

import { BUSYBOX } from "../../oci/bundle.ts";

const PASSWD = "root:x:0:0:root:/root:/bin/sh\nuser1:x:1000:1000::/tmp:/bin/sh\n";
const GROUP = "root:x:0:\nuser1:x:1000:\n";

function output(command: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Makes the tree `dir/rootfs` and `dir/rootfs.tar` from it. */
export function makeRootTree(dir: string): string {
  const root = `${dir}/rootfs`;
  for (const name of ["bin", "etc", "proc", "sys", "dev", "tmp", "root", "var"]) {
    Deno.mkdirSync(`${root}/${name}`, { recursive: true });
  }
  Deno.chmodSync(`${root}/tmp`, 0o1777);
  const busybox = `${root}/bin/busybox`;
  Deno.copyFileSync(BUSYBOX ?? "", busybox);
  for (const applet of output(busybox, "--list").trimEnd().split("\n")) {
    if (applet !== "busybox") Deno.symlinkSync("busybox", `${root}/bin/${applet}`);
  }
  Deno.writeTextFileSync(`${root}/etc/passwd`, PASSWD);
  Deno.writeTextFileSync(`${root}/etc/group`, GROUP);
  const tar = `${dir}/rootfs.tar`;
  output("tar", "-C", root, "-cf", tar, ".");
  return tar;
}
