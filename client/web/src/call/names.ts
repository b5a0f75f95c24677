// What others write of themselves is hostile text: it is shown as text, short, and cannot change the direction of what follows.

import { withoutTricks } from './tricks';

const LONGEST_NAME = 64;
const LONGEST_LINE = 120;

/** Text without tricks; lines end alike. */
export function harmless(text: string): string {
  return withoutTricks(text.replace(/\r\n?/gu, '\n'), false);
}

/** A name: harmless, on one line, not longer than fits, and with nothing unseen that tells it from another. */
export function name(text: string): string {
  return line(withoutTricks(text.replace(/[\r\n]+/gu, ' '), true), LONGEST_NAME);
}

/** Harmless, on one line, and cut where it is longer. */
export function shortened(text: string): string {
  return line(harmless(text), LONGEST_LINE);
}

function line(text: string, longest: number): string {
  const line = text.replace(/\s+/gu, ' ').trim();
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

/** What a domain is called: with its port, unless that is the usual one; servers at other ports are other organisations. */
export function organisation(domain: string): string {
  return domain.replace(/:443$/u, '');
}
