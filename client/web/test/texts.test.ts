// All languages say the same: the same texts, with the same variables.

import { FluentResource } from '@fluent/bundle';
import assert from 'node:assert/strict';
import { test } from 'node:test';

import PROBLEMS from './problems.json';

const FILES = import.meta.glob<string>('../src/text/*/client.ftl', { query: '?raw', import: 'default', eager: true });
const LANGUAGES = new Map(Object.entries(FILES).map(([path, source]) => [path.split('/').at(-2) ?? '', source]));
const SOURCES = import.meta.glob<string>(['../src/**/*.svelte', '../src/**/*.ts'], { query: '?raw', import: 'default', eager: true });

/** The variables of each text, found in the parsed pattern wherever they stand. */
function variables(source: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const { id, value } of new FluentResource(source).body) {
    const names = new Set<string>();
    const walk = (part: unknown): void => {
      if (typeof part !== 'object' || part === null) return;
      if ('type' in part && part.type === 'var' && 'name' in part) names.add(String(part.name));
      for (const below of Object.values(part)) walk(below);
    };
    walk(value);
    found.set(id, [...names].sort().join(' '));
  }
  return found;
}

const ENGLISH = variables(LANGUAGES.get('en') ?? '');

test('there are six languages', () => {
  assert.deepEqual([...LANGUAGES.keys()].sort(), ['da', 'de', 'en', 'fr', 'ja', 'nl']);
  assert.ok(ENGLISH.size > 100, `only ${ENGLISH.size} texts`);
});

test('every language has every text, with the same variables, and no other', () => {
  const wrong: string[] = [];
  for (const [language, source] of LANGUAGES) {
    const own = variables(source);
    for (const [id, names] of ENGLISH) if (own.get(id) !== names) wrong.push(`${language}: ${id} has «${own.get(id) ?? 'no text'}», English «${names}»`);
    for (const id of own.keys()) if (!ENGLISH.has(id)) wrong.push(`${language}: ${id} is unknown in English`);
  }
  assert.deepEqual(wrong, []);
});

/** The list is core's own: a Rust test of client/wasm holds it against every problem that core can tell. */
test('every problem that core tells has a text, and no text of one holds what core does not give', () => {
  const problems = new Map(Object.entries<string[]>(PROBLEMS));
  assert.ok(problems.size > 30, `only ${problems.size} problems`);
  for (const [language, source] of LANGUAGES) {
    const texts = new Map([...variables(source)].filter(([id]) => id.startsWith('problem-')));
    assert.deepEqual([...texts.keys()].sort(), [...problems.keys()].map((id) => `problem-${id}`).sort(), language);
    for (const [id, given] of problems) assert.equal(texts.get(`problem-${id}`), [...given].sort().join(' '), `${language}: ${id}`);
  }
});

test('nothing in a file is lost because it is malformed, and no text stands there twice', () => {
  for (const [language, source] of LANGUAGES) {
    const written = [...source.matchAll(/^(-?[a-z][a-z0-9_-]*) *=/gimu)].map(([, id]) => id ?? '');
    assert.deepEqual([...new Set(written)].sort(), [...variables(source).keys()].sort(), language);
    assert.equal(new Set(written).size, written.length, `${language}: ${written.filter((id, at) => written.indexOf(id) !== at).join(' ')}`);
  }
});

test('every text that a component names by itself is there, and every text is named somewhere', () => {
  const code = Object.values(SOURCES).join('\n');
  const named = [...code.matchAll(/\bt\('([a-z][a-z0-9_-]*)'/gu)].map(([, id]) => id ?? '');
  assert.deepEqual(named.filter((id) => !ENGLISH.has(id)), []);
  // A text may be named by its beginning alone, as in t(`over-${reason}`).
  const begins = [...code.matchAll(/`([a-z]+(?:-[a-z]+)*-)\$\{/gu)].map(([, begin]) => begin ?? '');
  const unused = [...ENGLISH.keys()].filter((id) => !id.startsWith('-') && !code.includes(`'${id}'`) && !begins.some((begin) => id.startsWith(begin)));
  assert.deepEqual(unused, []);
});

/** To be locked is not to be over, nor shut: one word for it, wherever it is said. */
const LOCKED: Record<string, RegExp> = { da: /lås/iu, de: /sperr/iu, en: /lock/iu, fr: /verrouill/iu, ja: /ロック/u, nl: /(?:ver|ont)grendel/iu };

test('a locked meeting is called the same in all texts of a language', () => {
  for (const [language, source] of LANGUAGES) {
    for (const id of ['lock', 'unlock', 'locked', 'problem-locked', 'is-locked']) {
      const text = new RegExp(`^${id} = (.*)$`, 'mu').exec(source)?.[1] ?? '';
      assert.match(text, LOCKED[language] ?? /^$/u, `${language}: ${id}`);
    }
  }
});
