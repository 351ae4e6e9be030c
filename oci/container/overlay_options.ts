/** The options of an overlay mount that name directories of the host. */

export interface OverlayPaths {
  /** The topmost first. Byte strings, as the rest. */
  readonly lower: readonly string[];
  readonly upper: string | null;
}

/** Returns null without a lowerdir. Colons and commas may be escaped by a backslash. */
export function splitOverlayOptions(options: readonly string[]): OverlayPaths | null {
  let lower: string[] = [], upper: string | null = null;
  for (const option of options.flatMap((text) => split(text, ","))) {
    if (option.startsWith("lowerdir=")) {
      lower = split(option.slice("lowerdir=".length), ":").map(plain);
    }
    if (option.startsWith("upperdir=")) upper = plain(option.slice("upperdir=".length));
  }
  return lower.length === 0 || lower.includes("") ? null : { lower, upper };
}

/** Splits at separators without a backslash in front. */
function split(text: string, separator: string): string[] {
  const parts = [""];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === separator) parts.push("");
    else {
      const escaped = text[i] === "\\" && i + 1 < text.length;
      parts[parts.length - 1] += escaped ? text.slice(i, ++i + 1) : text.charAt(i);
    }
  }
  return parts;
}

function plain(text: string): string {
  return text.replace(/\\(.)/g, "$1");
}
