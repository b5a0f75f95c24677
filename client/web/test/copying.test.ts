// Links that are copied, or not.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Copying } from '../src/call/copying.svelte';

let clipboard = '';
const gives = (value: unknown) => Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { clipboard: value } });
const refuses = () => Promise.reject(new Error('not allowed'));

function browser(allowed: boolean) {
  clipboard = '';
  const writeText = (text: string) => Promise.resolve(void (clipboard = text));
  const write = async ([item]: { part: Promise<Blob> }[]) => void (clipboard = (await (await item?.part)?.text()) ?? '');
  gives(allowed ? { writeText, write } : { writeText: refuses, write: refuses });
  Object.assign(globalThis, { ClipboardItem: class { part: unknown; constructor(parts: Record<string, unknown>) { this.part = parts['text/plain']; } } });
}

test('what was copied is said for a moment, and which it was', async ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  browser(true);
  const copying = new Copying();
  assert.equal(await copying.copy('https://north.example/m/1', 'first'), true);
  assert.deepEqual([clipboard, copying.copied, copying.refused], ['https://north.example/m/1', 'first', undefined]);
  mock.timers.tick(2_000);
  assert.equal(copying.copied, undefined);
});

test('a link that is still fetched is written from the click on', async () => {
  browser(true);
  const copying = new Copying();
  let fetched: ((link: string) => void) | undefined;
  const copied = copying.copy(new Promise<string>((resolve) => (fetched = resolve)));
  fetched?.('https://south.example/m/2');
  assert.equal(await copied, true);
  assert.equal(clipboard, 'https://south.example/m/2');
});

test('nothing is said to be copied that was not: the link is given instead, until it is closed', async () => {
  browser(false);
  const copying = new Copying();
  assert.equal(await copying.copy('https://north.example/m/1'), false);
  assert.deepEqual([copying.copied, copying.refused], [undefined, 'https://north.example/m/1']);
  assert.equal(await copying.copy(Promise.resolve('https://south.example/m/2')), false);
  assert.equal(copying.refused, 'https://south.example/m/2');
  copying.close();
  assert.equal(copying.refused, undefined);
});

test('a link that could not be fetched is neither copied nor shown', async () => {
  browser(true);
  const copying = new Copying();
  const failed = await copying.copy(Promise.reject(new Error('no such meeting'))).catch((error: unknown) => String(error));
  assert.deepEqual([failed, copying.copied, copying.refused, clipboard], ['Error: no such meeting', undefined, undefined, '']);
});

test('where the page may have no clipboard at all, the link is given', async () => {
  gives(undefined);
  const copying = new Copying();
  assert.equal(await copying.copy('https://north.example/m/1'), false);
  assert.equal(copying.refused, 'https://north.example/m/1');
});
