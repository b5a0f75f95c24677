// What can be wrong with a person's own machine: each has its sentence, and a way on.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { launch } from './person.mjs';
import { Stage } from './stage.mjs';

const HOUR_MS = 3_600_000;
const stage = Stage.for({ north: ['alice', 'bob', 'carol', 'dave'] });
let alice, link;

/** Lets `act` happen in another browser than the others'. */
async function inAnother(flags, without, act) {
  const usual = stage.browser;
  stage.browser = await launch(flags, without);
  try {
    await act();
  } finally {
    for (const person of stage.people) if (person.context.browser() === stage.browser) await stage.dismiss(person);
    await stage.browser.close();
    stage.browser = usual;
  }
}

test('who denies the camera and the microphone is told how to allow them, and can come without', async () => {
  alice = await stage.signedIn(stage.north, 'alice');
  link = await stage.meeting('Trouble', [alice]);
  await inAnother(['--use-fake-ui-for-media-stream=deny'], [], async () => {
    const bob = await stage.signedIn(stage.north, 'bob', { permissions: [] });
    await bob.goTo(link);
    await bob.reads('The browser may not use your camera');
    await bob.reads('The browser may not use your microphone');
    await bob.join();
    await bob.inRoom();
    await bob.watches(alice);
    await alice.sees([alice.address, bob.address]);
    await bob.leave();
  });
});

test('without a microphone and a camera one is told so, and can listen', async () => {
  await inAnother([], ['--use-fake-device-for-media-stream'], async () => {
    const bob = await stage.signedIn(stage.north, 'bob');
    await bob.goTo(link);
    await bob.reads('No microphone was found');
    await bob.reads('No camera was found');
    await bob.join();
    await bob.inRoom();
    await bob.watches(alice);
    await bob.listens();
    await bob.leave();
  });
});

for (const [name, off] of [['an hour ahead', HOUR_MS], ['an hour behind', -HOUR_MS]]) {
  test(`a clock that is ${name} is said to be wrong; once it is right, the page goes on`, async () => {
    const carol = await stage.person(stage.north, 'carol', { clockOff: off });
    await carol.page.goto(`${stage.north.origin}${link}`);
    await carol.reads('Set your clock right, then try again');
    await carol.page.evaluate(() => sessionStorage.setItem('clock is right', 'yes'));
    await carol.press('Try again');
    await carol.press('I have an account here');
    await stage.dismiss(carol);
  });
}

test('a clock that is four minutes off is good enough', async () => {
  const carol = await stage.person(stage.north, 'carol', { clockOff: 4 * 60_000 });
  await carol.signIn(link);
  await carol.join();
  await carol.inRoom();
  await carol.watches(alice);
  await carol.leave();
  await stage.dismiss(carol);
});

test('a browser that stores nothing more says so; with room again, the page goes on', async () => {
  const carol = await stage.person(stage.north, 'carol', { isFull: true });
  await carol.page.goto(`${stage.north.origin}/`);
  await carol.reads('This browser stores nothing more');
  await carol.page.evaluate(() => sessionStorage.setItem('has room', 'yes'));
  await carol.press('Try again');
  await carol.signIn();
  await carol.atStart();
  // And in the middle of what one does.
  await carol.page.evaluate(() => sessionStorage.removeItem('has room'));
  await carol.press('Meet now');
  await carol.reads('This browser stores nothing more');
  await carol.page.evaluate(() => sessionStorage.setItem('has room', 'yes'));
  await carol.press('Try again');
  await carol.atStart();
  await carol.enter(link);
  await carol.inRoom();
  await carol.watches(alice);
});

test('where frames can be neither sealed nor opened, the room says so', async () => {
  const dave = await stage.signedIn(stage.north, 'dave');
  await dave.expecting([/frame_worker/u], async () => {
    await dave.context.route('**/assets/frame_worker*', (route) => route.abort());
    await dave.enter(link);
    await dave.inRoom();
    await dave.reads('Sound and pictures could not be started here');
  });
  assert.equal(await dave.framesOf(alice), 0);
});
