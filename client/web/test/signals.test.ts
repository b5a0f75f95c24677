// Hands in their order, and reactions that pass.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Signals } from '../src/call/signals.svelte';
import type { Reaction } from '../src/core/events';

const hand = (device: string, order: number) => ({ type: 'hand' as const, device, raised: order > 0, order });

test('hands stand in the order in which they went up, whenever one heard of them', () => {
  const signals = new Signals();
  for (const [device, order] of [['carol', 3], ['alice', 1], ['bob', 12]] as const) signals.hand(hand(device, order));
  assert.deepEqual(signals.order, ['alice', 'carol', 'bob']);
  signals.hand(hand('alice', 0));
  assert.deepEqual(signals.order, ['carol', 'bob']);
  signals.hand(hand('alice', 13));
  assert.deepEqual(signals.order, ['carol', 'bob', 'alice']);
});

test('who is gone wants nothing any more', () => {
  const signals = new Signals();
  signals.hand(hand('alice', 1));
  signals.hand(hand('bob', 2));
  signals.members(new Set(['bob', 'carol']));
  assert.deepEqual(signals.order, ['bob']);
});

test('who is away is so until back, or gone', () => {
  const signals = new Signals();
  signals.attend('alice', true);
  signals.attend('bob', true);
  signals.attend('bob', true);
  assert.deepEqual([...signals.away], ['alice', 'bob']);
  signals.attend('alice', false);
  assert.deepEqual([...signals.away], ['bob']);
  signals.members(new Set(['alice']));
  assert.equal(signals.away.size, 0);
});

test('a reaction is shown for four seconds, and never more than twelve', ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const signals = new Signals();
  signals.react('alice', 'heart');
  mock.timers.tick(3_999);
  assert.equal(signals.reactions.length, 1);
  mock.timers.tick(1);
  assert.equal(signals.reactions.length, 0);
  for (let at = 0; at < 40; at += 1) signals.react('alice', 'applause');
  assert.equal(signals.reactions.length, 12);
});

test('a reaction that is not one of ours is not shown', () => {
  const signals = new Signals();
  signals.react('alice', '<img src=x>' as Reaction);
  assert.equal(signals.reactions.length, 0);
});
