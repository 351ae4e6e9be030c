/** Joining and comparing paths, as text. Neighbours: `parts.ts` takes them apart. */

import { pathText } from "./parts.ts";

/** Components without "." and without "x/..". A leading ".." stays, below the root it goes. */
function squeeze(path: string, isRooted: boolean): string[] {
  const out: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") out.push(part);
    else if (out.length > 0 && out.at(-1) !== "..") out.pop();
    else if (!isRooted) out.push("..");
  }
  return out;
}

/** The path with "." , ".." and repeated separators resolved; a trailing separator stays. */
export function normalize(path: string | URL): string {
  const text = pathText(path);
  if (text === "") return ".";
  const isRooted = text.startsWith("/");
  const body = squeeze(text, isRooted).join("/");
  const tail = text.endsWith("/") && body !== "" ? "/" : "";
  if (isRooted) return `/${body}${tail}`;
  return body === "" ? (text.endsWith("/") ? "./" : ".") : body + tail;
}

/** All paths with a separator between, normalized; empty ones do not count. */
export function join(path?: string | URL, ...paths: string[]): string {
  const all = path === undefined ? [] : [pathText(path), ...paths];
  const joined = all.map(pathText).filter((p) => p !== "").join("/");
  return joined === "" ? "." : normalize(joined);
}

/** The absolute path that the segments name, right to left until one is absolute, else the cwd. */
export function resolve(...pathSegments: string[]): string {
  let path = "";
  for (let i = pathSegments.length - 1; i >= 0 && !path.startsWith("/"); i--) {
    const segment = pathText(pathSegments[i] ?? "");
    if (segment !== "") path = path === "" ? segment : `${segment}/${path}`;
  }
  if (!path.startsWith("/")) path = `${Deno.cwd()}/${path}`;
  return `/${squeeze(path, true).join("/")}`;
}

/** The way from one path to another; "" when both are the same. */
export function relative(from: string, to: string): string {
  const a = squeeze(resolve(from), true);
  const b = squeeze(resolve(to), true);
  let same = 0;
  while (same < a.length && same < b.length && a[same] === b[same]) same++;
  return [...a.slice(same).map(() => ".."), ...b.slice(same)].join("/");
}
