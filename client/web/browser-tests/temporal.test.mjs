// Frames depend on each other in a way that servers can see: a path that cannot carry all frames of the smallest layer gets fewer.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { NarrowPath } from './narrow_path.mjs';
import { through } from './page_hooks.mjs';
import { Stage } from './stage.mjs';
import { until } from './until.mjs';

const CAMERA = { width: 640, height: 480, frameRate: 20 };
const SMALL = 320;
/** Bits a second: less than sound and all frames of the small layer take, more than sound and half of them. */
const NARROW = 180_000;
/** What waits on it: a key frame is no loss. */
const PATIENCE_MS = 800;
const DEPENDENCIES = 'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension';
/** A budget grows after five seconds at the soonest. */
const CALM_MS = 3_000;

const stage = Stage.for({ north: ['alice'], south: ['bob'] });
let alice, bob, path;
after(() => path?.close());

/** What bob's decoder of alice's camera did until now. */
function picture() {
  return bob.page.evaluate(async (address) => {
    const track = globalThis.videoOf(address, 'camera')?.srcObject?.getVideoTracks()[0]?.id;
    for (const peer of globalThis.peers) {
      for (const stats of (await peer.getStats()).values()) {
        if (stats.type !== 'inbound-rtp' || stats.trackIdentifier !== track) continue;
        const { frameWidth = 0, framesDecoded = 0, keyFramesDecoded = 0, freezeCount = 0, pliCount = 0, firCount = 0, nackCount = 0, bytesReceived = 0 } = stats;
        return { width: frameWidth, frames: framesDecoded, keyFrames: keyFramesDecoded, freezes: freezeCount, asked: pliCount + firCount, nacks: nackCount, bytes: bytesReceived };
      }
    }
    return { width: 0, frames: 0, keyFrames: 0, freezes: 0, asked: 0, nacks: 0 };
  }, alice.address);
}

/** Frames that alice has coded in her smallest layer. */
function coded() {
  return alice.page.evaluate(async () => {
    for (const peer of globalThis.peers) {
      for (const stats of (await peer.getStats()).values()) {
        if (stats.type === 'outbound-rtp' && stats.rid === '0') return { frames: stats.framesEncoded, bytes: stats.bytesSent, mode: stats.scalabilityMode };
      }
    }
    return { frames: 0 };
  });
}

/** What happens in some seconds; `part`: of alice's frames, those that bob has decoded. */
async function meanwhile() {
  const before = [await picture(), await coded()];
  await new Promise((resolve) => setTimeout(resolve, CALM_MS));
  const after = [await picture(), await coded()];
  const { width } = after[0];
  const changes = Object.fromEntries(Object.keys(after[0]).map((key) => [key, after[0][key] - before[0][key]]));
  return { ...changes, width, part: changes.frames / (after[1].frames - before[1].frames), sent: after[1].bytes - before[1].bytes };
}

/** The extensions that a person's connection has for pictures, by direction of the media. */
function extensions(person) {
  return person.page.evaluate(() => globalThis.peers.filter((peer) => peer.connectionState === 'connected').flatMap((peer) =>
    peer.getTransceivers().filter(({ receiver }) => receiver.track.kind === 'video').map((transceiver) => ({
      way: transceiver.currentDirection,
      names: transceiver.getNegotiatedHeaderExtensions().filter((one) => one.direction !== 'stopped').map((one) => one.uri),
    }))));
}

test('what frames depend on is negotiated for all pictures, both ways', async () => {
  alice = await stage.signedIn(stage.north, 'alice', { choices: CAMERA });
  bob = await stage.person(stage.south, 'bob', { choices: { cameraOn: false } });
  path = await NarrowPath.to(stage.south.media);
  path.patience = PATIENCE_MS;
  await bob.context.addInitScript(through, [path.port, path.entrance]);
  await bob.signIn();
  await bob.atStart();
  await stage.meeting('Frames', [alice, bob]);
  await bob.watches(alice);
  for (const person of [alice, bob]) {
    const all = await extensions(person);
    assert.deepEqual([...new Set(all.map(({ way }) => way))].sort(), ['recvonly', 'sendonly']);
    for (const { names } of all) assert.ok(names.includes(DEPENDENCIES));
  }
});

test('a narrow path gets fewer frames of the small layer, and no freeze', async (context) => {
  const { refused } = await bob.counts();
  path.rate = NARROW;
  let calm;
  await until('bob gets fewer frames, evenly', async () => {
    calm = await meanwhile();
    context.diagnostic(JSON.stringify(calm));
    return calm.width === SMALL && calm.part > 0.2 && calm.part < 0.8 && calm.asked + calm.nacks + calm.freezes === 0;
  }, 60_000);
  assert.equal((await bob.counts()).refused, refused);
});

test('a path that widens gets all of them again, without a key frame', async (context) => {
  path.rate = Infinity;
  const before = await picture();
  let now;
  await until('bob gets all frames of the small layer', async () => {
    now = await meanwhile();
    context.diagnostic(JSON.stringify(now));
    return now.part > 0.9;
  }, 60_000);
  const after = await picture();
  assert.deepEqual({ width: after.width, asked: after.asked, keyFrames: after.keyFrames }, { width: SMALL, asked: before.asked, keyFrames: before.keyFrames });
});
