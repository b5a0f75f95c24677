// What is on in a call is what the person last said, and what is not on is not captured.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OwnMedia } from '../src/call/own_media.svelte';
import { Source } from '../src/call/source.svelte';
import { cutOff, enter } from '../src/call/tab';
import type { Choices } from '../src/media/capture';
import { Browser, CHOICES, FakeTrack, emptyStore, settle } from './fake_media';

Object.assign(globalThis, { MediaStream: class {}, addEventListener: () => undefined });

class Room {
  readonly cameras = new Browser();
  readonly microphones = new Browser();
  readonly problems: string[] = [];
  readonly sources = {
    camera: new Source('camera', ({ camera }) => this.cameras.ask(camera ?? 'default')),
    microphone: new Source('microphone', ({ microphone }) => this.microphones.ask(microphone ?? 'default')),
  };
  own!: OwnMedia;

  /** In a call that was joined with these choices, after the browser gave what it was asked for. */
  static async with(choices: Partial<Choices>): Promise<Room> {
    const room = new Room();
    const all = { ...CHOICES, ...choices };
    if (all.cameraOn) void room.sources.camera.open(all);
    if (all.microphoneOn) void room.sources.microphone.open(all);
    room.own = new OwnMedia(all, room.sources, () => undefined, (problem) => room.problems.push(problem));
    if (all.cameraOn) await room.cameras.give();
    if (all.microphoneOn) await room.microphones.give();
    await settle();
    return room;
  }
}

function kept(store: Map<string, string>): Record<string, unknown> {
  return JSON.parse(store.get('conclave.in-call') ?? '{}') as Record<string, unknown>;
}

test('every change of what is on is kept for a reload, whoever made it', async () => {
  const store = emptyStore();
  enter('/m/one', { microphoneOn: true, cameraOn: true, soundOnly: false });
  const { own } = await Room.with({});
  await own.toggleMicrophone();
  assert.equal(kept(store)['microphoneOn'], false);
  await own.toggleMicrophone();
  assert.equal(kept(store)['microphoneOn'], true);
  await own.mute();
  assert.equal(kept(store)['microphoneOn'], false);
  await own.pushToTalk(true);
  assert.equal(own.microphoneOn, true);
  assert.equal(kept(store)['microphoneOn'], false, 'a key that is held is not held after a reload');
  await own.pushToTalk(false);
  await own.toggleCamera();
  assert.deepEqual(kept(store), { path: '/m/one', microphoneOn: false, cameraOn: false, soundOnly: false });
});

test('only a reload that has just happened goes on with the call', () => {
  const store = emptyStore();
  let type = 'reload';
  Object.defineProperty(performance, 'getEntriesByType', { value: () => [{ type }], configurable: true });
  let leaves = () => undefined as void;
  Object.assign(globalThis, { addEventListener: (_: string, act: () => void) => (leaves = act) });
  const on = { microphoneOn: false, cameraOn: true, soundOnly: true };
  enter('/m/one', on);
  assert.equal(cutOff('/m/one'), undefined, 'the page is still there: this is a duplicate');
  leaves();
  const { microphoneOn, cameraOn, soundOnly } = cutOff('/m/one') ?? {};
  assert.deepEqual({ microphoneOn, cameraOn, soundOnly }, on);
  assert.equal(cutOff('/m/other'), undefined);
  for (const other of ['navigate', 'back_forward']) {
    type = other;
    assert.equal(cutOff('/m/one'), undefined, other);
  }
  type = 'reload';
  store.set('conclave.in-call', JSON.stringify({ ...kept(store), wentMs: Date.now() - 61_000 }));
  assert.equal(cutOff('/m/one'), undefined, 'too long ago');
  store.set('conclave.in-call', '/m/one');
  assert.equal(cutOff('/m/one'), undefined, 'not what this page wrote');
});

test('the last word counts: on, off and on again while the browser asks', async () => {
  const { own, cameras } = await Room.with({ cameraOn: false });
  for (const on of [true, false, true]) {
    void own.toggleCamera();
    assert.equal(own.cameraOn, on);
  }
  assert.equal(cameras.asked.length, 1);
  await cameras.give();
  assert.deepEqual(cameras.live, ['default']);
  assert.ok(own.sent('video') !== undefined);
  await own.toggleCamera();
  assert.deepEqual(cameras.live, []);
  void own.toggleCamera();
  void own.toggleCamera();
  await cameras.give();
  assert.deepEqual(cameras.live, []);
  assert.equal(own.cameraOn, false);
});

test('nothing is captured after the call, whatever the browser was being asked', async () => {
  const { own, cameras, microphones } = await Room.with({ cameraOn: false });
  void own.toggleCamera();
  own.end();
  await cameras.give();
  assert.deepEqual([...cameras.live, ...microphones.live], []);
});

test('a device that goes is replaced by another; with none, it is off and said to be', async ({ mock }) => {
  mock.timers.enable({ apis: ['Date'] });
  const { own, cameras, microphones, problems } = await Room.with({});
  for (const [browser, kind] of [[microphones, 'audio'], [cameras, 'video']] as const) {
    mock.timers.tick(60_000);
    browser.given.at(-1)?.unplug();
    assert.equal(own.sent(kind), undefined);
    const other = await browser.give();
    assert.equal(own.sent(kind), other as unknown as MediaStreamTrack);
    mock.timers.tick(60_000);
    other.unplug();
    await browser.deny('NotFoundError');
    assert.equal(own.sent(kind), undefined);
  }
  assert.deepEqual([own.microphoneOn, own.cameraOn], [false, false]);
  assert.deepEqual(problems, ['microphone-lost', 'camera-lost']);
  const again = own.toggleMicrophone();
  await microphones.give();
  await again;
  assert.ok(own.sent('audio') !== undefined, 'and can be turned on again');
});

test('a microphone that goes while muted is not asked for until it is wanted', async () => {
  const { own, microphones, problems } = await Room.with({});
  await own.toggleMicrophone();
  microphones.given.at(-1)?.unplug();
  await settle();
  assert.equal(microphones.asked.length, 0);
  assert.deepEqual(problems, []);
  void own.toggleMicrophone();
  await microphones.give();
  assert.ok(own.sent('audio') !== undefined);
});

/** Screens are picked when the test says so. */
function screens(): (() => Promise<FakeTrack>)[] {
  const picks: (() => Promise<FakeTrack>)[] = [];
  const getDisplayMedia = () =>
    new Promise((resolve) => {
      picks.push(async () => {
        const track = new FakeTrack('screen');
        resolve({ getVideoTracks: () => [track], getAudioTracks: () => [] });
        await settle();
        return track;
      });
    });
  Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices: { getDisplayMedia } }, configurable: true });
  return picks;
}

test('Share pressed twice asks once, and a screen that is picked after the call is not captured', async () => {
  const picks = screens();
  const { own } = await Room.with({});
  void own.toggleScreen();
  void own.toggleScreen();
  assert.equal(picks.length, 1);
  const screen = await picks[0]?.();
  assert.equal(own.sharing, true);
  screen?.unplug();
  assert.equal(own.sharing, false);
  void own.toggleScreen();
  own.end();
  const late = await picks[1]?.();
  assert.equal(late?.readyState, 'ended');
  assert.equal(own.sharing, false);
});
