// The newest state reaches whoever must know it: in order, without those that were overtaken, and in spite of failures.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Teller } from '../src/media/teller';

/** A listener that answers when it is told to. */
class Listener {
  heard: number[] = [];
  private answers: ((error?: Error) => void)[] = [];

  hear(state: number): Promise<void> {
    this.heard.push(state);
    return new Promise((resolve, reject) => this.answers.push((error) => (error === undefined ? resolve() : reject(error))));
  }

  async answer(error?: Error): Promise<void> {
    this.answers.shift()?.(error);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('one call is under way at a time, and only the newest follows it', async () => {
  const listener = new Listener();
  const teller = new Teller((state: number) => listener.hear(state), 0);
  for (const state of [1, 2, 3]) teller.say(state);
  assert.deepEqual(listener.heard, [1]);
  await listener.answer();
  assert.deepEqual(listener.heard, [1, 3]);
  await listener.answer();
  assert.deepEqual(listener.heard, [1, 3]);
  teller.say(4);
  assert.deepEqual(listener.heard, [1, 3, 4]);
});

test('what was not heard is told again, unless something newer came', async () => {
  const listener = new Listener();
  const teller = new Teller((state: number) => listener.hear(state), 0);
  teller.say(1);
  await listener.answer(new Error('lost'));
  assert.deepEqual(listener.heard, [1, 1]);
  teller.say(2);
  await listener.answer(new Error('lost'));
  assert.deepEqual(listener.heard, [1, 1, 2]);
});

test('after its end nothing is told', async () => {
  const listener = new Listener();
  const teller = new Teller((state: number) => listener.hear(state), 0);
  teller.say(1);
  teller.say(2);
  teller.close();
  await listener.answer();
  assert.deepEqual(listener.heard, [1]);
});
