// The client for terminals as a third between two browsers.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PASSWORD, Stage } from './stage.mjs';
import { Terminal } from './terminal.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob', 'carol'] });

test('a terminal joins two browsers: pictures, sound, chat and one code for all', async () => {
  const alice = await stage.signedIn(stage.north, 'alice');
  const bob = await stage.signedIn(stage.south, 'bob');
  const link = await stage.meeting('With a terminal', [alice, bob]);
  const carol = Terminal.signIn(stage.south, 'carol', PASSWORD);
  carol.join(link);
  await carol.inRoom();
  for (const one of [alice, bob]) await one.sees([alice.address, bob.address, carol.address]);
  for (const [one, other] of [[alice, carol], [bob, carol], [alice, bob]]) await one.watches(other, 'camera', 30);
  await alice.say('Do you hear us?');
  await carol.hears('the question', ({ event, text }) => event === 'chat' && text === 'Do you hear us?');
  carol.order({ cmd: 'chat', text: 'Every word' });
  await bob.hears('Every word');
  const codes = [await alice.code(), await bob.code(), carol.code()];
  assert.equal(new Set(codes).size, 1, codes.join('; '));
  await carol.leave();
  await alice.sees([alice.address, bob.address]);
  for (const other of [alice, bob]) {
    for (const ending of ['ivf', 'ogg']) {
      const frames = carol.decoded(other, ending);
      assert.ok(frames > 20, `${frames} frames of ${other.user}'s ${ending} decoded`);
    }
  }
});
