/**
 * `deno task std`, which every other task runs first: `vendor/` gets the packages `@std/*` that
 * deno.json names. They come from JSR. Where JSR cannot be reached, the stand-ins beside this file
 * take their place, and one line says so. Imports none of the packages.
 */

const REGISTRY = "https://jsr.io";
/** LIMIT: ms for JSR to answer, once stand-ins are in use. */
const TIMEOUT_MS = 3000;
/** A file in `vendor/` that is there while its packages are stand-ins: a digest of their files. */
const MARK = "stand_ins.txt";

const NOTE = "JSR cannot be reached: @std/* are the stand-ins in tools/std.";

/** One package as deno.json pins it: `jsr:@std/NAME@VERSION`. */
interface Package {
  readonly name: string;
  readonly version: string;
}

/** The ways to the real packages, which a test replaces. */
export interface Source {
  /** Lets Deno fetch all packages; false when it cannot. */
  fetchAll(root: string): Promise<boolean>;
  /** Whether JSR answers. */
  isReachable(): Promise<boolean>;
}

const JSR: Source = {
  async fetchAll(root) {
    const args = ["cache", "--quiet", `--config=${root}/deno.json`, "tools/std/packages.ts"];
    const options = { args, cwd: root, stdin: "null", stdout: "null", stderr: "null" } as const;
    return (await new Deno.Command(Deno.execPath(), options).output()).success;
  },
  async isReachable() {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const response = await fetch(`${REGISTRY}/@std/path/meta.json`, { signal });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    }
  },
};

function pinned(root: string): Package[] {
  const text = Deno.readTextFileSync(`${root}/deno.json`);
  const found = text.matchAll(/"jsr:@std\/(\w+)@(\d+\.\d+\.\d+)"/g);
  return [...found].map(([, name = "", version = ""]) => ({ name, version }));
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Path in JSR to content of all files of the stand-ins, with what JSR says of a package. */
async function standIns(root: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const { name, version } of pinned(root)) {
    const manifest: Record<string, { size: number; checksum: string }> = {};
    const sources = [...Deno.readDirSync(`${root}/tools/std/${name}`)].map((file) => file.name);
    for (const file of sources.filter((file) => !file.endsWith("_test.ts")).sort()) {
      const text = Deno.readTextFileSync(`${root}/tools/std/${name}/${file}`);
      const bytes = new TextEncoder().encode(text);
      manifest[`/${file}`] = { size: bytes.length, checksum: `sha256-${await digest(bytes)}` };
      files.set(`@std/${name}/${version}/${file}`, text);
    }
    const meta = { scope: "std", name, latest: version, versions: { [version]: {} } };
    files.set(`@std/${name}/meta.json`, JSON.stringify(meta));
    const ofVersion = { manifest, exports: { ".": "./mod.ts" } };
    files.set(`@std/${name}/${version}_meta.json`, JSON.stringify(ofVersion));
  }
  return files;
}

/** Puts the stand-ins where Deno looks for what it has fetched; whole, by one rename. */
async function putStandIns(root: string): Promise<void> {
  const files = await standIns(root), mark = `${root}/vendor/${MARK}`;
  const sum = await digest(new TextEncoder().encode(JSON.stringify([...files])));
  if (isThere(mark) && Deno.readTextFileSync(mark) === sum) return;
  const fresh = `${root}/vendor/new-${Deno.pid}`;
  for (const [path, text] of files) {
    Deno.mkdirSync(`${fresh}/${path.replace(/\/[^/]*$/, "")}`, { recursive: true });
    Deno.writeTextFileSync(`${fresh}/${path}`, text);
  }
  removeFetched(root);
  Deno.renameSync(fresh, `${root}/vendor/jsr.io`);
  Deno.writeTextFileSync(mark, sum);
}

function removeFetched(root: string): void {
  for (const path of [`${root}/vendor/${MARK}`, `${root}/vendor/jsr.io`]) {
    if (isThere(path)) Deno.removeSync(path, { recursive: true });
  }
}

/** Makes the packages usable from `root`. True when they are the real ones. */
export async function provide(root: string, source: Source): Promise<boolean> {
  const packages = pinned(root);
  const isMarked = isThere(`${root}/vendor/${MARK}`);
  const isFetched = packages.every(({ name, version }) =>
    isThere(`${root}/vendor/jsr.io/@std/${name}/${version}`)
  );
  if (isFetched && !isMarked) return true;
  if (isMarked) {
    if (!await source.isReachable()) {
      await putStandIns(root);
      return false;
    }
    removeFetched(root);
  }
  if (await source.fetchAll(root)) return true;
  await putStandIns(root);
  return false;
}

if (import.meta.main) {
  const root = decodeURIComponent(new URL("../..", import.meta.url).pathname).replace(/\/$/, "");
  if (!await provide(root, JSR)) console.error(NOTE);
}
