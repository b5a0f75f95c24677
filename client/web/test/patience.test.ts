// A frame waits for its keys; a queue of frames whose keys do not come waits once, not once each.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Arrivals, Patience } from '../src/media/patience';

/** Far longer than any test takes. */
const LONG_MS = 60_000;
const SHORT_MS = 10;

/** Whether something ends before anything that waits. */
function isOver(wait: Promise<void>): Promise<boolean> {
  return Promise.race([wait.then(() => true), new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 2))]);
}

test('keys that come end the wait, and the next change is waited for again', async () => {
  const arrivals = new Arrivals();
  const patience = new Patience(arrivals, LONG_MS);
  for (let change = 0; change < 3; change += 1) {
    const wait = patience.wait();
    assert.equal(await isOver(wait), false);
    arrivals.arrive();
    await wait;
  }
});

test('after a wait in vain nothing waits, until keys come or a frame opens', async () => {
  const arrivals = new Arrivals();
  const patience = new Patience(arrivals, SHORT_MS);
  await patience.wait();
  assert.equal(await isOver(patience.wait()), true);
  arrivals.arrive();
  assert.equal(await isOver(patience.wait()), false);
  await patience.wait();
  assert.equal(await isOver(patience.wait()), true);
  patience.renew();
  assert.equal(await isOver(patience.wait()), false);
});

test('one stream that lost its patience leaves the others theirs', async () => {
  const arrivals = new Arrivals();
  const [one, other] = [new Patience(arrivals, SHORT_MS), new Patience(arrivals, SHORT_MS)];
  await one.wait();
  assert.equal(await isOver(other.wait()), false);
});
