// Sound that the browser does not play until the person has touched the page.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Hearing } from '../src/call/hearing.svelte';
import { settle } from './fake_media';

/** Plays once the page was touched; until then, and if `failure` says otherwise, it fails. */
function element(page: { touched: boolean }, failure = 'NotAllowedError'): HTMLMediaElement {
  return { play: () => (page.touched ? Promise.resolve() : Promise.reject(new DOMException('', failure))) } as unknown as HTMLMediaElement;
}

test('what the browser does not play is tried again when the person does something', async () => {
  const page = { touched: false };
  const hearing = new Hearing();
  for (const one of [element(page), element(page)]) await hearing.play(one);
  assert.equal(hearing.isBlocked, true);
  hearing.retry();
  await settle();
  assert.equal(hearing.isBlocked, true);
  page.touched = true;
  hearing.retry();
  await settle();
  assert.equal(hearing.isBlocked, false);
});

test('who is gone keeps nothing silent, and a stream that changes meanwhile is no matter', async () => {
  const page = { touched: false };
  const hearing = new Hearing();
  const one = element(page);
  await hearing.play(one);
  hearing.forget(one);
  assert.equal(hearing.isBlocked, false);
  await hearing.play(element(page, 'AbortError'));
  assert.equal(hearing.isBlocked, false);
});
