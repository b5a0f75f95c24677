// Links: what names a meeting, and where its secret stays.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { here, meetingOf, pathOf } from '../src/call/links';

test('the own address names a meeting with its secret', () => {
  assert.equal(meetingOf({ pathname: '/m/ab12@north.example', hash: '#secret' }, 'south.example'), 'https://south.example/m/ab12@north.example#secret');
  assert.equal(meetingOf({ pathname: '/m/ab12@north.example', hash: '' }, 'south.example'), 'ab12@north.example');
  assert.equal(meetingOf({ pathname: '/m/ab12%40north.example%3A7443', hash: '#s' }, 'south.example'), 'https://south.example/m/ab12@north.example:7443#s');
  assert.equal(meetingOf({ pathname: '/', hash: '#secret' }, 'south.example'), undefined);
  assert.equal(meetingOf({ pathname: '/meeting', hash: '' }, 'south.example'), undefined);
});

test('an address that is escaped wrongly is still one that can be refused', () => {
  assert.equal(meetingOf({ pathname: '/m/%zz@north.example', hash: '' }, 'south.example'), '%zz@north.example');
});

test('what somebody pasted opens within this page, whichever server it names', () => {
  assert.equal(pathOf('https://north.example/m/ab12@north.example#secret'), '/m/ab12@north.example#secret');
  assert.equal(pathOf('  https://north.example/m/ab12@north.example#secret\n'), '/m/ab12@north.example#secret');
  assert.equal(pathOf(' ab12@north.example '), '/m/ab12@north.example');
  assert.equal(pathOf('javascript:alert(1)'), '/m/javascript:alert(1)');
  assert.equal(pathOf('//evil.example'), '/m///evil.example');
});

test('a link opens at the server that the page came from', () => {
  Object.defineProperty(globalThis, 'location', { value: { origin: 'http://north.localhost:8080' }, configurable: true });
  assert.equal(here('https://north.example/m/ab12@north.example#secret'), 'http://north.localhost:8080/m/ab12@north.example#secret');
  assert.equal(here('ab12@north.example'), 'ab12@north.example');
});
