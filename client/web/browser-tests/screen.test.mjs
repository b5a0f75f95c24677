// A screen is shown to the others, and no longer.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';
import { until } from './until.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob'] });

test('a shared screen is seen at the other side beside the camera, until it is stopped', async () => {
  const alice = await stage.signedIn(stage.north, 'alice');
  const bob = await stage.signedIn(stage.south, 'bob');
  await stage.meeting('Slides', [alice, bob]);
  await bob.watches(alice);
  const tiles = bob.page.locator('figure[data-kind=screen][data-own=false]');
  assert.equal(await tiles.count(), 0);
  await alice.press('Share screen');
  await bob.watches(alice, 'screen');
  await bob.watches(alice);
  assert.equal(await tiles.count(), 1);
  await bob.reads(/alice.* shares a screen/u);
  await alice.press('Stop sharing');
  await until('the screen is gone', async () => (await tiles.count()) === 0);
  await bob.watches(alice);
  // And again: the second time is as good as the first.
  await alice.press('Share screen');
  await bob.watches(alice, 'screen');
});
