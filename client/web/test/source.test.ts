// A camera or microphone is on only where it is wanted, however late the browser's answers come.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Source } from '../src/call/source.svelte';
import { Browser, CHOICES, settle } from './fake_media';

function camera(): { browser: Browser; source: Source } {
  const browser = new Browser();
  return { browser, source: new Source('camera', ({ camera: chosen }) => browser.ask(chosen ?? 'default')) };
}

test('what the browser gives after it was turned off, or after the end, is stopped', async () => {
  for (const last of ['close', 'end'] as const) {
    const { browser, source } = camera();
    const opened = source.open(CHOICES);
    source[last]();
    await browser.give();
    await opened;
    assert.deepEqual(browser.live, [], last);
    assert.equal(source.track, undefined);
  }
});

test('off and on again while the browser asks is one question, and one track', async () => {
  const { browser, source } = camera();
  void source.open(CHOICES);
  source.close();
  void source.open(CHOICES);
  assert.equal(browser.asked.length, 1);
  await browser.give();
  assert.deepEqual(browser.live, ['default']);
  assert.equal(browser.asked.length, 0);
});

test('of two devices chosen one after the other, the last is on and no other', async () => {
  const { browser, source } = camera();
  void source.open({ ...CHOICES, camera: 'one' });
  void source.open({ ...CHOICES, camera: 'two' });
  const opened = source.open({ ...CHOICES, camera: 'three' });
  await browser.give();
  await browser.give();
  await opened;
  assert.deepEqual(browser.live, ['three']);
  const again = source.open({ ...CHOICES, camera: 'four' });
  await browser.give();
  await again;
  assert.deepEqual(browser.live, ['four']);
});

test('what is denied says why until it is tried again', async () => {
  const { browser, source } = camera();
  void source.open(CHOICES);
  await browser.deny();
  assert.equal(source.problem, 'denied');
  void source.open(CHOICES);
  assert.equal(source.problem, undefined);
  await browser.give();
  assert.deepEqual(browser.live, ['default']);
});

test('a device that goes by itself is told of; what takes its place and goes at once is not replaced again', async () => {
  const { browser, source } = camera();
  let gone = 0;
  source.gone = () => (gone += 1);
  void source.open(CHOICES);
  const first = await browser.give();
  first.unplug();
  assert.equal(gone, 1);
  assert.equal(source.track, undefined);
  await source.replace(CHOICES);
  assert.equal(source.problem, 'missing');
  assert.equal(browser.asked.length, 0);
});

test('a device that was stopped, or is another by now, is not missed', async () => {
  const { browser, source } = camera();
  source.gone = () => assert.ok(false, 'nothing is gone');
  void source.open(CHOICES);
  const first = await browser.give();
  void source.open({ ...CHOICES, camera: 'two' });
  const second = await browser.give();
  first.unplug();
  source.close();
  second.unplug();
  await settle();
});
