// A camera is sent in layers: who shows somebody small gets the small one, and nobody negotiates anything when that changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';
import { until } from './until.mjs';

/** The smallest picture that browsers send in two layers is near this. */
const CAMERA = { width: 640, height: 360, frameRate: 10 };
const [SMALL, LARGE] = [320, 640];

const stage = Stage.for({ north: ['alice', 'dora'], south: ['bob', 'carol'] });
let alice, bob, carol;

/** What a person's tile of somebody else plays. */
function picture(person, other) {
  return person.page.evaluate(async (address) => {
    const [user, domain] = address.split('@');
    const tile = document.querySelector(`figure[data-kind=camera][data-device^="conclave://${domain}/u/${user}/"]`);
    const track = tile?.querySelector('video')?.srcObject?.getVideoTracks()[0]?.id;
    for (const peer of globalThis.peers) {
      for (const stats of (await peer.getStats()).values()) {
        if (stats.type === 'inbound-rtp' && stats.trackIdentifier === track) {
          return { width: stats.frameWidth ?? 0, frames: stats.framesDecoded ?? 0, freezes: stats.freezeCount ?? 0, bytes: stats.bytesReceived ?? 0 };
        }
      }
    }
    return { width: 0, frames: 0, freezes: 0, bytes: 0 };
  }, other.address);
}

async function shows(person, other, width) {
  await until(`${person.user} gets ${other.user} ${width} pixels wide`, async () => (await picture(person, other)).width === width);
  const { frames } = await picture(person, other);
  await until(`${other.user} moves`, async () => (await picture(person, other)).frames > frames + 5);
  assert.equal((await picture(person, other)).width, width);
}

/** Makes one tile large; the others stand small in the strip. */
async function enlarges(person, address) {
  const [user, domain] = address.split('@');
  const tile = person.page.locator(`figure[data-kind=camera][data-device^="conclave://${domain}/u/${user}/"]`);
  await tile.hover();
  await tile.locator('button[aria-label^="Keep large"]').click();
}

/** What each connection has negotiated, and how much could not be opened. */
async function state(person) {
  const descriptions = await person.page.evaluate(() => globalThis.peers.map((peer) => [peer.localDescription?.sdp, peer.remoteDescription?.sdp]));
  return { descriptions, refused: (await person.counts()).refused };
}

test('who shows somebody large gets more pixels than who shows them small', async () => {
  alice = await stage.signedIn(stage.north, 'alice', { choices: CAMERA });
  bob = await stage.signedIn(stage.south, 'bob', { choices: { cameraOn: false } });
  carol = await stage.signedIn(stage.south, 'carol', { choices: { cameraOn: false } });
  await stage.meeting('Layers', [alice, bob, carol]);
  await enlarges(bob, alice.address);
  await enlarges(carol, bob.address);
  await shows(bob, alice, LARGE);
  await shows(carol, alice, SMALL);
});

test('both ways, without a new offer, and nothing is undecryptable', async () => {
  const before = await Promise.all([alice, bob, carol].map(state));
  for (const [large, small] of [[carol, bob], [bob, carol]]) {
    await enlarges(small, large.address);
    await enlarges(large, alice.address);
    await shows(small, alice, SMALL);
    await shows(large, alice, LARGE);
  }
  assert.deepEqual(await Promise.all([alice, bob, carol].map(state)), before);
});

test('at the own server as well', async () => {
  const dora = await stage.signedIn(stage.north, 'dora', { choices: { cameraOn: false } });
  await dora.enter(await alice.path());
  await dora.inRoom();
  await enlarges(dora, alice.address);
  await shows(dora, alice, LARGE);
  await enlarges(dora, bob.address);
  await shows(dora, alice, SMALL);
});
