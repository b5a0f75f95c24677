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

  answer(error?: Error): void {
    this.answers.shift()?.(error);
  }

  /** Waits until this has been heard. */
  async hears(states: number[]): Promise<void> {
    while (this.heard.length < states.length) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.deepEqual(this.heard, states);
  }
}

test('one call is under way at a time, and only the newest follows it', async () => {
  const listener = new Listener();
  const teller = new Teller((state: number) => listener.hear(state), 0);
  for (const state of [1, 2, 3]) teller.say(state);
  await listener.hears([1]);
  listener.answer();
  await listener.hears([1, 3]);
  listener.answer();
  teller.say(4);
  await listener.hears([1, 3, 4]);
});

test('what was not heard is told again, unless something newer came', async () => {
  const listener = new Listener();
  const teller = new Teller((state: number) => listener.hear(state), 0);
  teller.say(1);
  listener.answer(new Error('lost'));
  await listener.hears([1, 1]);
  teller.say(2);
  listener.answer(new Error('lost'));
  await listener.hears([1, 1, 2]);
});

test('after its end nothing is told', async () => {
  const listener = new Listener();
  const teller = new Teller((state: number) => listener.hear(state), 0);
  teller.say(1);
  teller.say(2);
  teller.close();
  listener.answer();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(listener.heard, [1]);
});
