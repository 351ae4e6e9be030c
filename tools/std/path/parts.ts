/** Parts of one path, as text: nothing here looks at a file system. Neighbour: `combine.ts`. */

import { fromFileUrl } from "./file_url.ts";

/** What separates components. */
export const SEPARATOR = "/" as const;
/** One or more separators. */
export const SEPARATOR_PATTERN: RegExp = /\/+/;

/** The text of a path given as text or as a `file:` URL. */
export function pathText(path: string | URL): string {
  if (path instanceof URL) return fromFileUrl(path);
  if (typeof path !== "string") {
    throw new TypeError(
      `Path must be a string, received "${JSON.stringify(path)}"`,
    );
  }
  return path;
}

function stripTrailing(path: string): string {
  let end = path.length;
  while (end > 1 && path[end - 1] === "/") end--;
  return path.slice(0, end);
}

/** Whether `path` begins at the root. */
export function isAbsolute(path: string): boolean {
  return pathText(path).startsWith("/");
}

/** The last component, without `suffix` when it ends so and is longer than it. */
export function basename(path: string | URL, suffix = ""): string {
  const text = stripTrailing(pathText(path));
  if (text === "/" || text === "") return text;
  const last = text.slice(text.lastIndexOf("/") + 1);
  return suffix !== "" && last !== suffix && last.endsWith(suffix)
    ? last.slice(0, last.length - suffix.length)
    : last;
}

/** The path without its last component; "." when nothing is left. */
export function dirname(path: string | URL): string {
  const text = pathText(path);
  if (text === "") return ".";
  const trimmed = stripTrailing(text);
  const slash = trimmed.lastIndexOf("/");
  if (slash < 0) return ".";
  return stripTrailing(trimmed.slice(0, slash)) || "/";
}

/** The extension of the last component with its dot; "" for none and for dot files. */
export function extname(path: string | URL): string {
  const last = basename(path);
  const dot = last.lastIndexOf(".");
  return dot <= 0 || last === ".." ? "" : last.slice(dot);
}
