// A screen is shown to the others, and no longer.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';
import { until } from './until.mjs';

/** How many of the sounds that a page plays can be heard. */
function heard(person) {
  return person.page.evaluate(async () => {
    const tracks = [...document.querySelectorAll('audio')].map((one) => one.srcObject?.getAudioTracks()[0]?.id);
    let count = 0;
    for (const peer of globalThis.peers) {
      for (const stats of (await peer.getStats()).values()) {
        if (stats.type === 'inbound-rtp' && tracks.includes(stats.trackIdentifier) && stats.totalAudioEnergy > 0) count += 1;
      }
    }
    return count;
  });
}

const stage = Stage.for({ north: ['alice'], south: ['bob'] });

test('a shared screen is seen and heard at the other side beside camera and microphone, until it is stopped', async () => {
  const alice = await stage.signedIn(stage.north, 'alice');
  const bob = await stage.signedIn(stage.south, 'bob');
  await stage.meeting('Slides', [alice, bob]);
  await bob.watches(alice);
  const tiles = bob.page.locator('figure[data-kind=screen][data-own=false]');
  assert.equal(await tiles.count(), 0);
  await until('bob hears alice', async () => (await heard(bob)) === 1);
  await alice.press('Share screen');
  await bob.watches(alice, 'screen');
  await bob.watches(alice);
  await until('bob hears the screen as well', async () => (await heard(bob)) === 2);
  assert.equal(await tiles.count(), 1);
  await bob.reads(/alice.* shares a screen/u);
  await alice.press('Stop sharing');
  await until('the screen is gone', async () => (await tiles.count()) === 0);
  await until('and its sound', async () => (await heard(bob)) === 1);
  await bob.watches(alice);
  // And again: the second time is as good as the first.
  await alice.press('Share screen');
  await bob.watches(alice, 'screen');
});
