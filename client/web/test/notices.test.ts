// What is said in passing: for five seconds, and not so much that it hides the stage.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Notices } from '../src/call/notices.svelte';

test('a notice goes after five seconds', ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const notices = new Notices();
  notices.add('entered', { name: 'bob' });
  mock.timers.tick(3_000);
  notices.add('gone', { name: 'bob' });
  mock.timers.tick(1_999);
  assert.deepEqual(notices.all.map(({ text }) => text), ['entered', 'gone']);
  mock.timers.tick(1);
  assert.deepEqual(notices.all.map(({ text }) => text), ['gone']);
  mock.timers.tick(3_000);
  assert.deepEqual(notices.all, []);
});

test('of many at once the latest four are shown', ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const notices = new Notices();
  for (let at = 0; at < 9; at += 1) notices.add('entered', { name: String(at) });
  assert.deepEqual(notices.all.map(({ variables }) => variables['name']), ['5', '6', '7', '8']);
  assert.equal(new Set(notices.all.map(({ id }) => id)).size, 4);
});

test('a warning stays longer, and does not go for what is said in passing', ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const notices = new Notices();
  notices.alarm('problem-log-broken', {});
  for (let at = 0; at < 5; at += 1) notices.add('entered', { name: String(at) });
  assert.deepEqual(notices.all.map(({ variables, warns }) => [variables['name'], warns]), [[undefined, true], ['2', false], ['3', false], ['4', false]]);
  mock.timers.tick(19_999);
  assert.deepEqual(notices.all.map(({ text }) => text), ['problem-log-broken']);
  mock.timers.tick(1);
  assert.deepEqual(notices.all, []);
});

test('what is read elsewhere is dropped, and nothing else', () => {
  const notices = new Notices();
  notices.add('says', { name: 'bob', text: 'hello' });
  notices.add('entered', { name: 'bob' });
  notices.drop('says');
  assert.deepEqual(notices.all.map(({ text }) => text), ['entered']);
});
