// The frame worker as it is, with the keys of a real call, between two connections of the browser itself: nothing leaves unsealed in any
// codec, and what was touched on the way goes nowhere (MED-02, MED-04, MED-05, MED-07).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FramePair, codecs } from './frame_pair.mjs';
import { Stage } from './stage.mjs';
import { until } from './until.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob'] });
const [SOUND, PICTURE] = [{ name: 'sound', kind: 'audio', codec: 'audio/opus' }, { name: 'picture', kind: 'screen', codec: 'video/VP8' }];
const OURS = ['audio/opus', 'video/VP8'];
const TAG_BYTES = 16;
/** So many bytes in a row are not the same by chance. */
const RUN_BYTES = 8;
const ENOUGH = 10;
let alice, bob;

/** Says what is wrong with a frame that left (MED-02; RFC 9605 §4.3 for the header). */
function unsealed(codec, [plain, left]) {
  const [from, to] = [Buffer.from(plain, 'hex'), Buffer.from(left, 'hex')];
  const clear = codec === 'audio/opus' ? 0 : (from[0] & 1) === 0 ? 10 : 3;
  if (!from.subarray(0, clear).equals(to.subarray(0, clear))) return 'the clear bytes differ';
  const config = to[clear];
  const header = 1 + ((config & 0x80) === 0 ? 0 : ((config >> 4) & 7) + 1) + ((config & 8) === 0 ? 0 : (config & 7) + 1);
  if (to.length !== from.length + header + TAG_BYTES) return `${from.length} bytes became ${to.length}`;
  const [secret, shown] = [from.subarray(clear), to.subarray(clear)];
  for (let at = 0; at + RUN_BYTES <= secret.length; at += 1) {
    if (shown.includes(secret.subarray(at, at + RUN_BYTES))) return `its bytes from ${clear + at} on can be read`;
  }
  return undefined;
}

function assertSealed(codec, { went }) {
  assert.ok(went.length > ENOUGH && went.some(([plain]) => plain.length / 2 > 10 + RUN_BYTES), `${codec}: frames that hold something left`);
  for (const pair of went) assert.equal(unsealed(codec, pair), undefined, codec);
}

/** What went on to the decoder is what the other side sealed, each frame once. */
function assertOpened(sent, received) {
  const plain = new Map(sent.went.map(([plain, left]) => [left, plain]));
  for (const [came, opened] of received.went) assert.equal(opened, plain.get(came));
  assert.equal(new Set(received.went.map(([came]) => came)).size, received.went.length);
}

test('in a call nothing leaves unsealed', async () => {
  alice = await stage.person(stage.north, 'alice');
  bob = await stage.person(stage.south, 'bob');
  for (const person of [alice, bob]) {
    await FramePair.prepare(person);
    await person.signIn();
    await person.atStart();
  }
  await stage.meeting('Frames', [alice, bob]);
  for (const { page } of [alice, bob]) {
    for (const [name, codec] of [['send audio', 'audio/opus'], ['send video', 'video/VP8']]) {
      const noted = async () => (await page.workers()[0].evaluate(() => self.notes))[name];
      await until(`frames to ${name}`, async () => ((await noted())?.went.length ?? 0) > ENOUGH);
      assertSealed(codec, await noted());
    }
  }
});

test('in each codec that the browser can send, frames leave sealed or not at all', async (context) => {
  const sent = (await codecs(alice)).map((codec) => ({ name: codec, kind: codec.startsWith('audio') ? 'audio' : 'screen', codec }));
  const others = sent.filter(({ codec }) => !OURS.includes(codec));
  assert.ok(sent.length === others.length + OURS.length && others.length > 3, 'this browser sends others too');
  const pair = await FramePair.of(alice, bob, 4);
  await pair.connect(sent);
  for (const { name } of sent) await until(`frames in ${name} are made`, async () => (await pair.sent(name)).came > ENOUGH);
  for (const name of OURS) await until(`frames in ${name} are opened`, async () => (await pair.received(name)).went.length > ENOUGH);
  for (const { name } of others) {
    const [there, here] = [await pair.received(name), await pair.sent(name)];
    context.diagnostic(`${name}: ${here.came} frames made, ${here.went.length} left`);
    assert.deepEqual({ left: here.went.length, reached: there.came }, { left: 0, reached: 0 }, `no frame in ${name} leaves`);
  }
  for (const name of OURS) {
    // In this order: all that has arrived is among what has left.
    const [received, sent] = [await pair.received(name), await pair.sent(name)];
    assertSealed(name, sent);
    assertOpened(sent, received);
  }
  await pair.end();
});

test('without keys, without a layer, or too short to be sealed: nothing leaves', async () => {
  const camera = { name: 'camera', kind: 'video', codec: 'video/VP8' };
  const pair = await FramePair.of(alice, bob, 7, { senderKeys: false });
  await pair.sending.evaluate(() => {
    const short = (length, first) => ({ name: `${length} bytes`, data: [first, ...Array(length).fill(7)].slice(0, length), metadata: { mimeType: 'video/VP8' } });
    const strange = (data) => ({ name: 'another codec', data, metadata: { mimeType: 'video/VP9' } });
    self.forge = (data, { kind }) => (kind === 'screen' ? { before: [short(0, 0), short(2, 1), short(9, 0), strange(data)] } : {});
  });
  const all = [SOUND, PICTURE, camera];
  await pair.connect(all);
  for (const { name } of all) await until(`frames of ${name} are made`, async () => (await pair.sent(name)).came > ENOUGH);
  for (const { name } of all) assert.deepEqual([(await pair.sent(name)).went.length, (await pair.received(name)).came], [0, 0], `${name} without keys`);

  await pair.tell(alice);
  for (const { name } of [SOUND, PICTURE]) await until(`${name} leaves`, async () => (await pair.sent(name)).went.length > ENOUGH);
  assert.equal((await pair.sent(camera.name)).went.length, 0, 'a camera whose layer is not known');
  const layers = await alice.page.evaluate(async () => {
    const all = [...(await globalThis.between.getSenders()[2].getStats()).values()];
    return all.filter(({ type }) => type === 'outbound-rtp').map(({ ssrc }) => [ssrc, 0]);
  });
  await pair.tell(alice, { type: 'layers', layers });
  await until('the camera leaves', async () => (await pair.sent(camera.name)).went.length > ENOUGH);

  await pair.tell(alice, { type: 'stop' });
  await Promise.all(
    all.map(({ name }) =>
      until(`${name} does not leave without keys`, async () => {
        const { came, went } = await pair.sent(name);
        await until('more frames are made', async () => (await pair.sent(name)).came > came + ENOUGH / 2);
        return (await pair.sent(name)).went.length === went.length;
      }),
    ),
  );
  for (const { name, codec } of all) {
    const noted = await pair.sent(name);
    assertSealed(codec, noted);
    assert.deepEqual([...new Set(noted.accepted)], [], name);
  }
  assert.ok((await pair.sent(PICTURE.name)).forged > ENOUGH);
  await pair.end();
});

test('without keys nothing is opened; with them, all that comes', async () => {
  const pair = await FramePair.of(alice, bob, 10, { receiverKeys: false });
  await pair.connect([SOUND, PICTURE]);
  for (const { name } of [SOUND, PICTURE]) await until(`${name} comes`, async () => (await pair.received(name)).came > 1);
  for (const { name } of [SOUND, PICTURE]) assert.equal((await pair.received(name)).went.length, 0, name);
  await pair.tell(bob);
  for (const { name } of [SOUND, PICTURE]) {
    await until(`${name} is opened`, async () => (await pair.received(name)).went.length > ENOUGH);
    const [received, sent] = [await pair.received(name), await pair.sent(name)];
    assertOpened(sent, received);
  }
  await pair.end();
});

test('what was touched, cut, given twice or in another place goes nowhere', async () => {
  const pair = await FramePair.of(alice, bob, 13);
  await pair.receiving.evaluate(forger);
  await pair.connect([SOUND, PICTURE]);
  const accepted = [];
  for (const { name } of [SOUND, PICTURE]) {
    await until(`${name} is opened`, async () => (await pair.received(name)).went.length > ENOUGH);
    await until(`what was held back of ${name} is opened`, async () => (await pair.received(name)).accepted.length > 0);
    const [received, sent] = [await pair.received(name), await pair.sent(name)];
    assertOpened(sent, received);
    accepted.push(...new Set(received.accepted));
  }
  assert.deepEqual(accepted, ['sound, held back', 'other frame, held back'], 'and of what was forged, nothing');
  const tried = await pair.receiving.evaluate(() => [...self.tried].sort());
  assert.deepEqual(tried, ['key frame', 'other frame', 'picture in the place of sound', 'sound', 'sound in the place of a picture']);
  assert.ok((await pair.received(PICTURE.name)).forged > 500);
  await pair.end();
});

test('who was removed opens nothing more, though everything still comes', async () => {
  const pair = await FramePair.of(alice, bob, 4);
  await pair.connect([SOUND, PICTURE]);
  for (const { name } of [SOUND, PICTURE]) await until(`${name} is opened`, async () => (await pair.received(name)).went.length > ENOUGH);
  await alice.page.evaluate(() => delete globalThis.told.keys);
  await alice.open('People');
  await alice.remove(bob.address);
  await bob.reads('A host removed you from the meeting');
  await until('alice has new keys', () => alice.page.evaluate(() => globalThis.told.keys !== undefined));
  await pair.tell(alice);
  // What was on its way may still be opened; of all that comes then, nothing. Each frame is kept for the second in which keys may come.
  await Promise.all(
    [SOUND, PICTURE].map(({ name }) =>
      until(`${name} still comes and is not opened`, async () => {
        const { came, went } = await pair.received(name);
        await until('more comes', async () => (await pair.received(name)).came > came + 3);
        return (await pair.received(name)).went.length === went.length;
      }),
    ),
  );
  await pair.end();
});

/** Runs in the receiving worker: a server that tries everything with the first sound, the first key frame, the first other frame. */
function forger() {
  self.tried = new Set();
  const held = new Map();
  let isCalm = false;
  const changed = (data, at, bit) => data.map((byte, place) => (place === at ? byte ^ (1 << bit) : byte));

  const touched = (kind, data) => {
    const clear = kind === 'sound' ? 0 : kind === 'key frame' ? 10 : 3;
    const kid = clear + 1 + (((data[clear] >> 4) & 7) + 1);
    const all = [];
    for (let at = 0; at < data.length; at += 1) {
      // The epoch is the key id's last byte. A frame of another epoch is kept for a second; one of them is enough.
      const isSlow = at === clear || at === kid - 1;
      const isHead = at < kid && !isSlow;
      const isFar = at > kid + 64 && at < data.length - 32 && at % 16 !== 0;
      for (let bit = isHead ? 7 : at % 8; bit >= (isHead ? 0 : at % 8) && !isFar; bit -= 1) {
        if (!(at === 0 && bit === 0)) all.push({ name: `${kind}, bit ${bit} of byte ${at} of ${data.length}`, data: changed(data, at, bit) });
      }
    }
    for (const length of [0, 1, clear, clear + 1, kid, kid + 15, data.length - 16, data.length - 1]) {
      all.push({ name: `${kind}, ${length} bytes of ${data.length}`, data: data.slice(0, Math.max(length, 0)) });
    }
    return [...all, { name: `${kind}, a byte more`, data: [...data, 0] }];
  };

  self.forge = (data, { audio }) => {
    if (data.length === 0) return {};
    const kind = audio ? 'sound' : (data[0] & 1) === 0 ? 'key frame' : 'other frame';
    const again = { name: `${kind}, again`, data };
    if (!self.tried.has(kind)) {
      self.tried.add(kind);
      return { before: touched(kind, data), after: [again] };
    }
    // One frame of each medium is offered in the place of the other medium first, and only then in its own: soon, or it would be too old.
    isCalm ||= !audio && ['sound', 'key frame', 'other frame'].every((one) => self.tried.has(one));
    if (!isCalm) return { after: [again] };
    const mine = audio ? 'sound' : 'picture';
    if (kind !== 'key frame' && !held.has(mine)) {
      held.set(mine, data);
      return { isKept: true };
    }
    const [other, place] = audio ? ['picture', 'picture in the place of sound'] : ['sound', 'sound in the place of a picture'];
    const before = [];
    if (held.has(other) && !self.tried.has(place)) {
      self.tried.add(place);
      before.push({ name: place, data: held.get(other) });
    }
    const isBack = self.tried.has(audio ? 'sound in the place of a picture' : 'picture in the place of sound');
    if (isBack && held.get(mine)?.length > 0) {
      before.push({ name: `${kind === 'key frame' ? 'other frame' : kind}, held back`, data: held.get(mine) });
      held.set(mine, []);
    }
    return { before, after: [again] };
  };
}
