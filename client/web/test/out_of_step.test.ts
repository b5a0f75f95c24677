// Who is out of step is told once, however many streams they have, and until any of theirs opens.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OutOfStep } from '../src/call/out_of_step';

test('sound and pictures of one device are one piece of news, and end together', () => {
  const steps = new OutOfStep();
  assert.equal(steps.lose('audio0', 'bob'), true);
  assert.equal(steps.lose('video0', 'bob'), false);
  assert.equal(steps.lose('video1', 'carol'), true);
  assert.deepEqual([...steps.devices], ['bob', 'carol']);
  steps.regain('video0', 'bob');
  assert.deepEqual([...steps.devices], ['carol']);
  assert.equal(steps.lose('audio0', 'bob'), true);
});

test('a slot that carries somebody else says nothing of whom it carried before', () => {
  const steps = new OutOfStep();
  steps.lose('audio0', 'bob');
  steps.lose('audio1', 'bob');
  steps.regain('audio0', 'carol');
  assert.deepEqual([...steps.devices], ['bob']);
});

test('who is gone is forgotten', () => {
  const steps = new OutOfStep();
  steps.lose('audio0', 'bob');
  steps.lose('audio1', 'carol');
  steps.keepOnly(new Set(['carol']));
  assert.deepEqual([...steps.devices], ['carol']);
});
