// What others write of themselves is hostile: no character of it turns, hides or breaks what stands around it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { colourOf, guestOf, harmless, initials, name, organisation, shortened } from '../src/call/names';

const MARK = '\ufffd';

test('characters that turn the direction of text are replaced, each by one mark', () => {
  for (const trick of ['\u202a', '\u202b', '\u202c', '\u202d', '\u202e', '\u2066', '\u2067', '\u2068', '\u2069', '\u061c', '\u200e', '\u200f']) {
    assert.equal(harmless(`a${trick}b`), `a${MARK}b`, trick.codePointAt(0)?.toString(16) ?? '');
  }
  assert.equal(harmless('invoice\u202efdp.exe'), `invoice${MARK}fdp.exe`);
});

test('characters that nobody sees are replaced', () => {
  for (const trick of ['\u200b', '\u034f', '\u115f', '\u1160', '\u3164', '\uffa0', '\u{e0041}', '\u{e0100}', '\ufe0f', '\u2060', '\ufeff', '\u00ad', '\u0000', '\u0007', '\u001b', '\u007f', '\u0085', '\u2028', '\u2029', '\ufff9']) {
    assert.equal(harmless(`a${trick}b`), `a${MARK}b`, trick.codePointAt(0)?.toString(16) ?? '');
    assert.equal(name(`a${trick}b`), `a${MARK}b`, trick.codePointAt(0)?.toString(16) ?? '');
  }
});

/** Emoji of several parts, a keycap, flags; Persian, Sinhala, Devanagari, Malayalam, a variant ideograph, Mongolian. */
const COMPOSED = ['👩‍💻', '👩🏽‍🚀', '👨‍👩‍👧‍👦', '🏳️‍🌈', '❤️', '1️⃣', '🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}', '🇩🇰', 'می‌خواهم', 'ශ්‍රී', 'क्‍ष', '葛\u{e0100}', 'ᠠ\u180b'];

test('unseen characters that writing is made of stay, in what is said and in names', () => {
  for (const text of COMPOSED) assert.deepEqual([harmless(text), name(text)], [text, text]);
  assert.equal(harmless('അവന്‍ വന്നു'), 'അവന്‍ വന്നു');
  assert.equal(harmless('Auf\u200clage'), 'Auf\u200clage');
});

test('a joiner that joins nothing is a trick, and in a name also one that nobody sees', () => {
  for (const joiner of ['\u200c', '\u200d']) {
    for (const text of [`${joiner}a`, `a ${joiner}b`, `a${joiner}`, `1${joiner}2`, `👏${joiner}a`]) assert.equal(harmless(text), text.replace(joiner, MARK));
    assert.equal(name(`ali${joiner}ce`), `ali${MARK}ce`);
    assert.equal(harmless(`a${joiner}${joiner}b`), `a${MARK}${MARK}b`);
  }
  assert.equal(harmless(`🏴${'\u{e0061}'.repeat(40)}\u{e007f}`), `🏴${MARK.repeat(41)}`);
});

test('direction controls are tricks between letters of any script', () => {
  assert.equal(harmless('می\u202eخواهم'), `می${MARK}خواهم`);
  assert.equal(name('می\u200fخواهم'), `می${MARK}خواهم`);
});

test('text of any script, lines and tabs stay as they are', () => {
  for (const text of ['Grace Hopper', 'Ærøskøbing', '山田 太郎', 'שלום', 'مرحبا', '👏🏽', 'one\n\ttwo', '<b>&amp;</b>']) assert.equal(harmless(text), text);
});

test('a name is one line of at most 64 letters', () => {
  assert.equal(name('  Grace\r\n\t Hopper '), 'Grace Hopper');
  assert.equal(name('a'.repeat(64)), 'a'.repeat(64));
  assert.equal(name('a'.repeat(65)), `${'a'.repeat(63)}…`);
  assert.equal(name('\u202e'), MARK);
});

test('cutting breaks no letter in two', () => {
  const cut = name('😀'.repeat(100));
  assert.equal(cut, `${'😀'.repeat(63)}…`);
  assert.equal(shortened('a'.repeat(500)).length, 120);
  assert.equal(shortened('one\ntwo'), 'one two');
});

test('initials are the first letters of the first and the last word', () => {
  assert.equal(initials('Grace Brewster Hopper'), 'GH');
  assert.equal(initials('alice'), 'A');
  assert.equal(initials('ada.lovelace'), 'AL');
  assert.equal(initials('山田 太郎'), '山太');
  assert.equal(initials('😀 smith'), '😀S');
  assert.equal(initials('\u202e'), '');
});

test('a colour is one of eight, and always the same', () => {
  const all = Array.from({ length: 200 }, (_, at) => colourOf(`user${at}@north.example`));
  assert.deepEqual(new Set(all).size, 8);
  assert.ok(all.every((one) => Number.isInteger(one) && one >= 0 && one < 8));
  assert.equal(colourOf('alice@north.example'), colourOf('alice@north.example'));
});

test('an organisation is shown with its port, if it is not the usual one: servers at two ports are two organisations', () => {
  assert.equal(organisation('north.localhost:7443'), 'north.localhost:7443');
  assert.equal(organisation('north.example:443'), 'north.example');
  assert.equal(organisation('north.example:4430'), 'north.example:4430');
  assert.equal(organisation('north.example'), 'north.example');
});

test('a guest is known by the organisation, and a user is no guest', () => {
  assert.equal(guestOf('guest/c43ba707@north.localhost:7443'), 'north.localhost:7443');
  assert.equal(guestOf('alice@north.example'), undefined);
  assert.equal(guestOf('aguest/x@north.example'), undefined);
});
