/**
 * Registries of npm and JSR on this machine's loopback, with our packages alone. Not a test.
 */

import { encodeBase64, encodeHex } from "@std/encoding";
import { filesOfTar, gunzip } from "../../tools/package/archive.ts";
import { LIBRARY, readProject } from "../../tools/package/library_tree.ts";
import { ROOT } from "../harness/dvisor.ts";

/** What registries answer, by path. */
type Answers = ReadonlyMap<string, Uint8Array<ArrayBuffer> | object>;

interface LocalRegistry extends AsyncDisposable {
  /** Of both registries; ends in "/". */
  readonly url: string;
}

/** @param archives the paths of packages for npm @param jsr the directory of the library for JSR */
export async function localRegistry(
  archives: readonly string[],
  jsr: string,
): Promise<LocalRegistry> {
  let answers: Answers = new Map();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const answer = answers.get(decodeURIComponent(new URL(request.url).pathname));
    if (answer === undefined) return new Response("", { status: 404 });
    return answer instanceof Uint8Array ? new Response(answer) : Response.json(answer);
  });
  const url = `http://127.0.0.1:${server.addr.port}/`;
  answers = new Map([...await npmAnswers(url, archives), ...await jsrAnswers(jsr)]);
  return { url, [Symbol.asyncDispose]: () => server.shutdown() };
}

async function npmAnswers(url: string, archives: readonly string[]): Promise<Answers> {
  const answers = new Map<string, Uint8Array<ArrayBuffer> | object>();
  for (const [i, archive] of archives.entries()) {
    const bytes = await Deno.readFile(archive);
    const files = filesOfTar(await gunzip(new Blob([bytes])));
    const text = files.find(({ path }) => path === "package/package.json")?.bytes;
    const manifest = JSON.parse(new TextDecoder().decode(text));
    const integrity = `sha512-${encodeBase64(await crypto.subtle.digest("SHA-512", bytes))}`;
    const version = { ...manifest, dist: { tarball: `${url}${i}.tgz`, integrity } };
    answers.set(`/${i}.tgz`, bytes);
    answers.set(`/${manifest.name}`, {
      name: manifest.name,
      "dist-tags": { latest: manifest.version },
      versions: { [manifest.version]: version },
    });
  }
  return answers;
}

async function jsrAnswers(directory: string): Promise<Answers> {
  const { version } = await readProject(ROOT), at = `/${LIBRARY}`;
  const answers = new Map<string, Uint8Array<ArrayBuffer> | object>();
  const manifest: Record<string, { size: number; checksum: string }> = {};
  for (const path of filesBelow(directory)) {
    const bytes = await Deno.readFile(`${directory}${path}`);
    const digest = encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
    manifest[path] = { size: bytes.length, checksum: `sha256-${digest}` };
    answers.set(`${at}/${version}${path}`, bytes);
  }
  const [scope, name] = LIBRARY.slice(1).split("/");
  answers.set(`${at}/meta.json`, { scope, name, latest: version, versions: { [version]: {} } });
  answers.set(`${at}/${version}_meta.json`, { manifest, exports: { ".": "./mod.ts" } });
  return answers;
}

function filesBelow(directory: string, path = ""): string[] {
  return [...Deno.readDirSync(directory + path)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(directory, `${path}/${name}`) : [`${path}/${name}`]
  );
}
