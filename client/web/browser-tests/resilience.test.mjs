// What breaks on the way: a tab loaded anew, servers killed, a device that vanishes, a second tab.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';
import { until } from './until.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob', 'carol'] });
/** What the browser writes of requests that a killed server leaves without an answer. */
const CUT = [/^Failed to load resource: net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE) /u];
let alice, bob, carol, link;

async function bothWays() {
  await Promise.all([alice.watches(bob), bob.watches(alice), alice.listens(), bob.listens()]);
}

test('a tab that is loaded anew in mid-call is back in the call by itself', async () => {
  alice = await stage.signedIn(stage.north, 'alice');
  bob = await stage.signedIn(stage.south, 'bob');
  link = await stage.meeting('Lasting', [alice, bob]);
  await bothWays();
  for (const one of [bob, alice]) {
    await one.page.reload();
    await one.inRoom();
    for (const seen of [alice, bob]) await seen.sees([alice.address, bob.address]);
    await bothWays();
  }
});

test('who turned off what a host or they themselves had on comes back with it off, and can turn it on', async () => {
  const muted = alice.page.locator('figure[data-own=false] [aria-label=Muted]');
  await alice.open('People');
  await alice.page.click('[aria-label="Mute: bob"]');
  await bob.page.waitForSelector('[data-control=microphone][aria-label=Unmute]');
  await bob.page.click('[data-control=more]');
  await bob.page.getByRole('menuitem', { name: 'Sound only' }).click();
  await bob.page.waitForSelector('[data-control=camera][aria-label="Turn camera on"]');
  await bob.page.reload();
  await bob.inRoom();
  await bob.sees([alice.address, bob.address]);
  await muted.waitFor();
  assert.deepEqual(await bob.page.evaluate(() => globalThis.captured.length), 0, 'nothing was captured');
  for (const control of ['microphone', 'camera']) assert.match(await bob.page.locator(`[data-control=${control}]`).getAttribute('class'), /off/u);
  await bob.listens();
  assert.equal(await bob.framesOf(alice), 0, 'sound alone, as before');
  await bob.page.click('[data-control=more]');
  await bob.page.getByRole('menuitem', { name: 'With pictures again' }).click();
  await bob.press('Unmute', true);
  await bob.press('Turn camera on');
  await muted.waitFor({ state: 'detached' });
  await bothWays();
});

test('a duplicate of a tab in a call shows the door, and who has left stays out over a reload', async () => {
  carol = await stage.signedIn(stage.south, 'carol');
  await carol.enter(link);
  await carol.inRoom();
  const first = carol.page;
  [carol.page] = await Promise.all([carol.context.waitForEvent('page'), first.evaluate(() => void open(location.href))]);
  await carol.reads('This device is in use in another tab');
  await first.close();
  await carol.page.getByRole('button', { name: 'Join now' }).waitFor();
  await carol.join();
  await carol.inRoom();
  await carol.leave();
  await carol.page.reload();
  await carol.page.getByRole('button', { name: 'Join now' }).waitFor();
  await alice.sees([alice.address, bob.address]);
  await stage.dismiss(carol);
});

for (const which of ['south', 'north']) {
  test(`the server of the ${which} is killed and starts again: the call goes on for both, and nobody joins anew`, async () => {
    const restarted = stage[which];
    await alice.expecting(CUT, () =>
      bob.expecting(CUT, async () => {
        await restarted.stop('SIGKILL');
        await restarted.start();
        await bothWays();
        await alice.say(`After the end of ${which}`);
        await bob.hears(`After the end of ${which}`);
        await bob.say(`And back, ${which}`);
        await alice.hears(`And back, ${which}`);
      }),
    );
    for (const one of [alice, bob]) await one.sees([alice.address, bob.address]);
    assert.equal(await alice.code(), await bob.code());
  });
}

test('a second tab of the same device waits until the first is closed', async () => {
  const first = bob.page;
  bob.page = await bob.context.newPage();
  await bob.page.goto(stage.south.origin);
  await bob.reads('This device is in use in another tab');
  await alice.watches(bob);
  bob.page = first;
});

test('who leaves is gone at once; a device that vanishes shows as away, and is removed after half a minute', async () => {
  carol = await stage.signedIn(stage.south, 'carol');
  await carol.enter(link);
  await carol.inRoom();
  await alice.sees([alice.address, bob.address, carol.address]);
  await carol.leave();
  const left = Date.now();
  await alice.sees([alice.address, bob.address]);
  assert.ok(Date.now() - left < 5_000, `Leave took ${Date.now() - left} ms`);
  const vanished = Date.now();
  assert.equal(await alice.seesAway(bob), false);
  await bob.page.close();
  await until('alice is told that bob is away', () => alice.seesAway(bob), 15_000);
  await alice.sees([alice.address, bob.address]);
  await alice.sees([alice.address], 45_000);
  const after = Date.now() - vanished;
  assert.ok(after > 25_000, `removed after ${after} ms`);
  // The tab that waited is this device now.
  [bob.page] = bob.context.pages();
  await bob.atStart();
});
