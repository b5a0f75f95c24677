// Out of step: frames of another epoch for longer than a change takes to arrive, and told once.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Step } from '../src/media/step';

/** When it is told, of frames that come every second. */
function told(step: Step, from: number, to: number): number[] {
  const all: number[] = [];
  for (let second = from; second <= to; second += 1) if (step.misses(second * 1_000)) all.push(second);
  return all;
}

test('a change that is on its way is not told', () => {
  const step = new Step();
  assert.deepEqual(told(step, 0, 9), []);
  step.keeps();
  assert.deepEqual(told(step, 10, 19), []);
});

test('who stays in another epoch is told once, and again after having been in step', () => {
  const step = new Step();
  assert.deepEqual(told(step, 0, 60), [10]);
  assert.equal(step.keeps(), true);
  assert.equal(step.keeps(), false);
  assert.deepEqual(told(step, 61, 80), [71]);
});

test('frames with a long silence between them are not of one time', () => {
  const step = new Step();
  assert.deepEqual(told(step, 0, 8), []);
  assert.deepEqual(told(step, 14, 23), []);
  assert.deepEqual(told(step, 24, 25), [24]);
});
