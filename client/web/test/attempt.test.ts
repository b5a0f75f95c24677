// Something a person asked for.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Attempt } from '../src/call/attempt.svelte';
import { CommandError } from '../src/core/command_error';

test('an attempt is busy while it runs, and says what it failed of until the next one', async () => {
  const attempt = new Attempt();
  let go: (() => void) | undefined;
  const waiting = attempt.run(() => new Promise<void>((resolve) => (go = resolve)));
  assert.equal(attempt.busy, true);
  go?.();
  assert.equal(await waiting, true);
  assert.deepEqual([attempt.busy, attempt.problem], [false, undefined]);
  const failed = await attempt.run(() => Promise.reject(new CommandError({ reason: 'unavailable', id: 'unavailable', arguments: {} })));
  assert.deepEqual([failed, attempt.busy, attempt.problem], [false, false, ['problem-unavailable', {}]]);
  await attempt.run(() => Promise.resolve());
  assert.equal(attempt.problem, undefined);
});

test('what was not even tried has its sentence too, and what is forgotten has none', () => {
  const attempt = new Attempt();
  attempt.refuse('in-the-past', {});
  assert.deepEqual(attempt.problem, ['in-the-past', {}]);
  attempt.forget();
  assert.equal(attempt.problem, undefined);
});
