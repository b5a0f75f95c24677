// Calendar files, by RFC 5545: other programs read them, and a title must not write lines of its own.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { calendarFile } from '../src/call/ics';

const PLANNED = {
  meeting: 'ab12@north.example',
  title: 'Budget',
  startsMs: Date.UTC(2026, 10, 29, 13, 30),
  lengthS: 5_400,
  link: 'https://north.example/m/ab12@north.example#secret',
  organiser: 'alice@north.example',
};
const NOW = Date.UTC(2026, 10, 22, 7, 5, 9);
const lines = (file: string) => file.replace(/\r\n[ \t]/gu, '').split('\r\n');
const field = (file: string, name: string) => lines(file).find((line) => line.startsWith(`${name}:`) || line.startsWith(`${name};`));

test('an event has its times in universal time, its link and its organiser', () => {
  const file = calendarFile(PLANNED, NOW);
  assert.equal(field(file, 'DTSTART'), 'DTSTART:20261129T133000Z');
  assert.equal(field(file, 'DTEND'), 'DTEND:20261129T150000Z');
  assert.equal(field(file, 'DTSTAMP'), 'DTSTAMP:20261122T070509Z');
  assert.equal(field(file, 'UID'), 'UID:ab12@north.example');
  assert.equal(field(file, 'URL'), `URL:${PLANNED.link}`);
  assert.equal(field(file, 'ORGANIZER'), 'ORGANIZER;CN="alice@north.example":mailto:alice@north.example');
});

test('it begins and ends as a calendar does, each line with CR LF', () => {
  const file = calendarFile(PLANNED, NOW);
  assert.ok(file.startsWith('BEGIN:VCALENDAR\r\nVERSION:2.0\r\n') && file.endsWith('END:VEVENT\r\nEND:VCALENDAR\r\n'));
  assert.equal(file.replace(/\r\n/gu, '').search(/[\r\n]/u), -1);
});

test('what has a meaning in calendar files is escaped in a title', () => {
  assert.equal(field(calendarFile({ ...PLANNED, title: 'a;b,c\\d' }, NOW), 'SUMMARY'), 'SUMMARY:a\\;b\\,c\\\\d');
});

test('no title, link or organiser writes a line of its own', () => {
  for (const end of ['\n', '\r\n', '\r', '\u2028', '\u0085']) {
    const evil = `x${end}ATTENDEE:mailto:evil@evil.example${end}`;
    const file = calendarFile({ ...PLANNED, title: evil, link: evil, organiser: evil }, NOW);
    assert.deepEqual(file.split(/\r\n|[\r\n\u2028\u0085]/u).filter((line) => line.startsWith('ATTENDEE')), [], JSON.stringify(end));
    assert.equal(lines(file).length, lines(calendarFile(PLANNED, NOW)).length, JSON.stringify(end));
  }
  assert.match(field(calendarFile({ ...PLANNED, title: 'one\ntwo' }, NOW) ?? '', 'SUMMARY') ?? '', /^SUMMARY:one\\ntwo$/u);
});

test('long lines are folded at 75 octets, and never within a letter', () => {
  for (const letter of ['a', 'é', '山', '😀']) {
    const title = letter.repeat(120);
    const file = calendarFile({ ...PLANNED, title }, NOW);
    for (const line of file.split('\r\n')) assert.ok(new TextEncoder().encode(line).length <= 75, `${letter}: ${line.length}`);
    assert.ok(!file.includes('\ufffd'));
    assert.equal(field(file, 'SUMMARY'), `SUMMARY:${title}`);
  }
});
