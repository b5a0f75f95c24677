// What is on the stage, and what is therefore asked of the server.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Call } from '../src/call/call.svelte';
import { Stage } from '../src/call/stage.svelte';
import type { DeviceUri, Member, Track } from '../src/core/events';

const CAMERA: Track = { number: 1, kind: 'video', layers: 3 };
const SCREEN: Track = { number: 2, kind: 'screen', layers: 1 };

function member(device: string, self = false): Member {
  return { device, address: `${device}@north.example`, organisation: 'north.example', name: device, role: 'participant', verification: 'certified', self } as Member;
}

/** A call of these members, of whom the first is oneself; only what the stage reads of it. */
function call(members: Member[], publishing: Record<DeviceUri, Track[]>): Call {
  const by = new Map(Object.entries(publishing));
  return {
    members,
    publishing: by,
    self: members.find((one) => one.self),
    own: { sharing: false },
    media: { lastSpeaker: undefined },
    publishes: (device: DeviceUri, kind: string) => by.get(device)?.some((track) => track.kind === kind) ?? false,
  } as unknown as Call;
}

const THREE = [member('me', true), member('bob'), member('carol')];

test('everybody has a tile, oneself the last, screens first', () => {
  const stage = new Stage(call(THREE, { carol: [SCREEN] }));
  assert.deepEqual(stage.tiles.map(({ key }) => key), ['screen carol', 'camera bob', 'camera carol', 'camera me']);
});

test('who hides the own picture still sees it when alone', () => {
  const stage = new Stage(call(THREE, {}));
  stage.selfShown = false;
  assert.deepEqual(stage.tiles.map(({ key }) => key), ['camera bob', 'camera carol']);
  const alone = new Stage(call([member('me', true)], {}));
  alone.selfShown = false;
  assert.deepEqual(alone.tiles.map(({ key }) => key), ['camera me']);
});

test('large is what is pinned, or else a screen, or else in the speaker view who spoke last', () => {
  const with_screen = call(THREE, { carol: [SCREEN] });
  const stage = new Stage(with_screen);
  assert.equal(stage.large, 'screen carol');
  stage.togglePin('camera bob');
  assert.equal(stage.large, 'camera bob');
  stage.togglePin('camera bob');
  assert.equal(stage.large, 'screen carol');
  const without = call(THREE, {});
  const other = new Stage(without);
  assert.equal(other.large, undefined);
  other.toggleView();
  assert.equal(other.large, 'camera bob');
  without.media.lastSpeaker = 'carol';
  const later = new Stage(without);
  later.toggleView();
  assert.equal(later.large, 'camera carol');
});

test('a pin on somebody who is gone holds nothing', () => {
  const stage = new Stage(call(THREE, {}));
  stage.togglePin('camera dave');
  assert.equal(stage.large, undefined);
});

test('only what is on the stage is wished for, in the height in which it is shown', () => {
  const stage = new Stage(call(THREE, { me: [CAMERA], bob: [CAMERA], carol: [CAMERA, SCREEN] }));
  stage.size = { width: 1248, height: 680 };
  const wishes = stage.wishes.map(({ device, track, height }) => `${device} ${track} ${height}`);
  assert.deepEqual(wishes, ['carol 2 544', 'bob 1 136', 'carol 1 136']);
});

test('what is on another page is not wished for', () => {
  const many = [member('me', true), ...Array.from({ length: 20 }, (_, at) => member(`user${at}`))];
  const stage = new Stage(call(many, Object.fromEntries(many.map(({ device }) => [device, [CAMERA]]))));
  stage.size = { width: 1248, height: 680 };
  assert.equal(stage.wishes.length, 9);
  assert.equal(stage.wishes[0]?.device, 'user0');
  stage.turn(1);
  assert.equal(stage.wishes[0]?.device, 'user9');
  stage.turn(5);
  assert.deepEqual(stage.wishes.map(({ device }) => device), ['user18', 'user19']);
  stage.turn(-1);
  assert.equal(stage.wishes[0]?.device, 'user9');
  stage.turn(-9);
  assert.equal(stage.arrangement.page, 0);
});
