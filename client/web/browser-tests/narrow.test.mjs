// A path that carries less than is wanted: the picture gets smaller, the page says why, and sound goes on; with room again all is as before (MED-19).

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { NarrowPath } from './narrow_path.mjs';
import { through } from './page_hooks.mjs';
import { Stage } from './stage.mjs';
import { until } from './until.mjs';

/** The smallest picture that browsers send in two layers is near this. */
const CAMERA = { width: 640, height: 360, frameRate: 10 };
const [SMALL, LARGE] = [320, 640];
/** The large picture and sound take more, the small one and sound less. */
const NARROW = 130_000;
/** Growing again takes steps of five seconds, more of them after every trial in vain. */
const LONG_MS = 120_000;

const stage = Stage.for({ north: ['alice'], south: ['bob'] });
let path;
after(() => path?.close());

test('a narrow path makes the picture smaller, and a wide one brings it back', async () => {
  const alice = await stage.signedIn(stage.north, 'alice', { choices: CAMERA });
  const bob = await stage.person(stage.south, 'bob', { choices: { cameraOn: false } });
  path = await NarrowPath.to(stage.south.media);
  await bob.context.addInitScript(through, [path.port, path.entrance]);
  await bob.signIn();
  await bob.atStart();
  await stage.meeting('Narrow', [alice, bob]);
  const width = () => bob.page.evaluate((address) => globalThis.videoOf(address, 'camera')?.videoWidth ?? 0, alice.address);
  const mark = bob.page.locator('figure[data-own=false] [data-mark=poor]');
  await until('the large picture comes', async () => (await width()) === LARGE);
  assert.ok(path.passed > 0 && path.lost === 0, 'by the path that is still wide');
  assert.equal(await mark.count(), 0);

  const marked = mark.waitFor();
  path.rate = NARROW;
  await marked;
  assert.ok(path.lost > 0);
  await until('the small picture comes', async () => (await width()) === SMALL);
  await bob.watches(alice);
  await bob.listens();

  path.rate = Infinity;
  await until('the large picture is back', async () => (await width()) === LARGE, LONG_MS);
  await bob.watches(alice);
  await until('nothing is poor any more', async () => (await mark.count()) === 0);
});
