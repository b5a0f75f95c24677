// alice@north and bob@south, each in a browser of their own, through their own servers.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob'] });
let alice, bob;

test('bob opens the link that alice gave him at his own server, and both are in', async () => {
  alice = await stage.signedIn(stage.north, 'alice');
  const link = await stage.meeting('Weekly', [alice]);
  bob = await stage.person(stage.south, 'bob');
  await bob.signIn(link);
  await bob.join();
  await bob.inRoom();
  await alice.sees([alice.address, bob.address]);
  await bob.sees([alice.address, bob.address]);
});

test('pictures and sound come both ways', async () => {
  for (const [one, other] of [[alice, bob], [bob, alice]]) {
    await one.watches(other);
    await one.listens();
  }
});

test('chat goes both ways, and both see the same code', async () => {
  await alice.say('Good morning from the north');
  await bob.hears('Good morning from the north');
  await bob.say('<b>and</b> from the south');
  await alice.hears('<b>and</b> from the south');
  const codes = [await alice.code(), await bob.code()];
  assert.match(codes[0], /^(\d{5} ){5}\d{5}$/);
  assert.equal(codes[0], codes[1]);
});

test('bob leaves, and alice sees him go', async () => {
  await bob.leave();
  await alice.sees([alice.address]);
});
