// Texts by Fluent, so that a translator edits files and no code. English is always there; other languages come when needed.

import { FluentBundle, FluentResource } from '@fluent/bundle';
import type { FluentVariable } from '@fluent/bundle';
import english from './en/client.ftl?raw';

const OTHERS = import.meta.glob<string>(['./*/client.ftl', '!./en/client.ftl'], { query: '?raw', import: 'default' });

let bundles: FluentBundle[] = [bundle('en', english)];
/** The language with its country, which writes days and numbers its own way. */
let tag = 'en';

/** Takes the first of the person's languages that is one of ours; gives which it is. */
export async function choose(languages: readonly string[]): Promise<string> {
  for (const one of languages) {
    const [language] = one.toLowerCase().split('-');
    const loads = OTHERS[`./${language}/client.ftl`];
    if (language === undefined || (language !== 'en' && loads === undefined)) continue;
    tag = one;
    bundles = [...(loads === undefined ? [] : [bundle(one, await loads())]), bundle(language === 'en' ? one : 'en', english)];
    return language;
  }
  return 'en';
}

/** The text with this id. */
export function t(id: string, variables?: Record<string, FluentVariable>): string {
  for (const one of bundles) {
    const pattern = one.getMessage(id)?.value;
    if (pattern) return one.formatPattern(pattern, variables);
  }
  return id;
}

/** A time of day as the person writes it. */
export function timeOf(ms: number): string {
  return new Intl.DateTimeFormat(tag, { hour: '2-digit', minute: '2-digit' }).format(ms);
}

/** A day as the person writes it. */
export function dateOf(ms: number): string {
  return new Intl.DateTimeFormat(tag, { dateStyle: 'medium' }).format(ms);
}

/** A day and a time of day as the person writes them. */
export function dateAndTimeOf(ms: number): string {
  return new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'short' }).format(ms);
}

/** Several things, as in "a, b and c". */
export function list(all: string[]): string {
  return new Intl.ListFormat(tag, { type: 'conjunction' }).format(all);
}

/** No country: what ISO 3166 leaves to users, and servers say that were not told theirs. */
const NOWHERE = 'ZZ';

/** The name of a country (ISO 3166), or nothing if there is none. */
export function region(code: string): string {
  if (code === NOWHERE) return '';
  try {
    return new Intl.DisplayNames(tag, { type: 'region' }).of(code) ?? '';
  } catch {
    return '';
  }
}

/** A number as the person writes it. */
export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(tag, { maximumFractionDigits: digits }).format(value);
}

function bundle(language: string, source: string): FluentBundle {
  const made = new FluentBundle(language);
  made.addResource(new FluentResource(source));
  return made;
}
