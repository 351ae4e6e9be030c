/** A root directory with busybox, and what clients import images from. Not a test. */

import { BUSYBOX } from "../../oci/bundle.ts";

const PASSWD = "root:x:0:0:root:/root:/bin/sh\nuser1:x:1000:1000::/tmp:/bin/sh\n";
const GROUP = "root:x:0:\nuser1:x:1000:\n";

function output(command: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const MEDIA = "application/vnd.oci.image.";

/** Makes an OCI image archive of a tree's tar in `dir`: what `ctr image import` takes. */
export async function makeArchive(
  dir: string,
  tar: string,
  name: string,
  command: readonly string[],
): Promise<string> {
  const layout = Deno.makeTempDirSync({ dir });
  Deno.mkdirSync(`${layout}/blobs/sha256`, { recursive: true });
  const blob = async (type: string, bytes: Uint8Array<ArrayBuffer>) => {
    const hash = await digest(bytes);
    Deno.writeFileSync(`${layout}/blobs/sha256/${hash}`, bytes);
    return { mediaType: MEDIA + type, digest: `sha256:${hash}`, size: bytes.length };
  };
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const layer = await blob("layer.v1.tar", Deno.readFileSync(tar));
  const config = await blob(
    "config.v1+json",
    json({
      architecture: "amd64",
      os: "linux",
      config: { Env: ["PATH=/bin"], Cmd: command },
      rootfs: { type: "layers", diff_ids: [layer.digest] },
    }),
  );
  const type = `${MEDIA}manifest.v1+json`;
  const parts = { schemaVersion: 2, mediaType: type, config, layers: [layer] };
  const manifest = await blob("manifest.v1+json", json(parts));
  const annotations = {
    "io.containerd.image.name": name,
    "org.opencontainers.image.ref.name": name,
  };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  Deno.writeFileSync(`${layout}/index.json`, json(index));
  Deno.writeFileSync(`${layout}/oci-layout`, json({ imageLayoutVersion: "1.0.0" }));
  const archive = `${layout}.tar`;
  output("tar", "-C", layout, "-cf", archive, "oci-layout", "index.json", "blobs");
  return archive;
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
