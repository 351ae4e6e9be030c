/** A text of a guest or an image, for a message: one line, and short. */

const QUOTED_MAX = 60;

export function quoted(text: string): string {
  const isCut = text.length > QUOTED_MAX;
  return JSON.stringify(isCut ? `${text.slice(0, QUOTED_MAX)}...` : text);
}
