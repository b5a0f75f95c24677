// What others write of themselves is hostile text: it is shown as text, short, and cannot change the direction of what follows.

/** Characters that turn, hide or join text: bidirectional controls, zero-width ones, other controls. */
// eslint-disable-next-line no-control-regex
const TRICKS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;
const LONGEST_NAME = 64;
const LONGEST_LINE = 120;

/** Text without tricks; lines end alike. */
export function harmless(text: string): string {
  return text.replace(/\r\n?/gu, '\n').replace(TRICKS, '\ufffd');
}

/** A name: harmless, on one line, not longer than fits. */
export function name(text: string): string {
  return shortened(text, LONGEST_NAME);
}

/** Harmless, on one line, and cut where it is longer. */
export function shortened(text: string, longest = LONGEST_LINE): string {
  const line = harmless(text).replace(/\s+/gu, ' ').trim();
  const letters = [...line];
  return letters.length > longest ? `${letters.slice(0, longest - 1).join('')}…` : line;
}

/** One or two letters for somebody without a picture. */
export function initials(text: string): string {
  const words = name(text).split(/[\s._-]+/u).filter((word) => word !== '' && word !== '\ufffd');
  const letters = words.map((word) => [...word][0] ?? '');
  const chosen = letters.length > 1 ? [letters[0], letters[letters.length - 1]] : letters;
  return chosen.join('').toLocaleUpperCase();
}

/** One of eight colours, always the same for the same person. */
export function colourOf(address: string): number {
  let hash = 0;
  for (const letter of address) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return hash % 8;
}

/** The organisation of a guest's address, in which nobody chose the name; nothing for users. */
export function guestOf(address: string): string | undefined {
  return address.startsWith('guest/') ? organisation(address.slice(address.lastIndexOf('@') + 1)) : undefined;
}

/** What a domain is called where its port is of no interest. */
export function organisation(domain: string): string {
  return domain.replace(/:\d+$/u, '');
}
