// The own devices before one is in.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Door } from '../src/call/door.svelte';
import { Source } from '../src/call/source.svelte';
import { Browser } from './fake_media';

function door(): { door: Door; cameras: Browser; microphones: Browser } {
  const [cameras, microphones] = [new Browser(), new Browser()];
  const camera = new Source('camera', ({ camera: chosen }) => cameras.ask(chosen ?? 'default'));
  const microphone = new Source('microphone', ({ microphone: chosen }) => microphones.ask(chosen ?? 'default'));
  return { door: new Door({ camera, microphone }), cameras, microphones };
}

test('who turns the camera off or goes while the browser asks leaves nothing on', async () => {
  const one = door();
  one.door.begin();
  one.door.toggleCamera();
  await one.cameras.give();
  one.door.end();
  await one.microphones.give();
  assert.deepEqual([...one.cameras.live, ...one.microphones.live], []);
});

test('a denied microphone shows as off, and unmuting tries it again', async () => {
  const one = door();
  one.door.begin();
  await one.microphones.deny();
  assert.equal(one.door.microphoneOn, false);
  assert.equal(one.door.microphone.problem, 'denied');
  one.door.toggleMicrophone();
  await one.microphones.give();
  assert.equal(one.door.microphoneOn, true);
  assert.deepEqual(one.microphones.live, ['default']);
  one.door.toggleMicrophone();
  assert.equal(one.door.microphoneOn, false);
  one.door.toggleMicrophone();
  assert.equal(one.microphones.asked.length, 0, 'it was on all the time, for its level');
});

test('what is missing can be tried again', async () => {
  const one = door();
  one.door.begin();
  await one.cameras.deny('NotFoundError');
  assert.equal(one.door.cameraOn, false);
  one.door.tryAgain('camera');
  await one.cameras.give();
  assert.equal(one.door.cameraOn, true);
});

test('what is handed on is the call’s, also what the browser still asks for', async () => {
  const one = door();
  one.door.begin();
  await one.cameras.give();
  one.door.handOn();
  one.door.end();
  await one.microphones.give();
  assert.deepEqual([...one.cameras.live, ...one.microphones.live], ['default', 'default']);
});
