// A person's own camera and microphone: tried and chosen at the door, unplugged in a call, talked through with a key held.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pluggable } from './page_hooks.mjs';
import { Stage } from './stage.mjs';
import { until } from './until.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob', 'carol'] }, { flags: ['--use-fake-device-for-media-stream=device-count=2'] });
/** A device that goes sooner than this after it came is not replaced. */
const BRIEF_MS = 2_000;
let alice, bob, link;

/** Waits until what is captured has been so for a while. */
async function settled(person) {
  const since = Date.now();
  await until('the devices were there for a while', async () => (await person.captures()).length === 2 && Date.now() - since > BRIEF_MS);
}

function control(person, name) {
  return person.page.locator(`[data-control=${name}]`);
}

test('the door shows the picture and the level, lists the devices, remembers what was chosen, and lets go of them', async () => {
  alice = await stage.signedIn(stage.north, 'alice');
  link = await stage.meeting('Own devices', [alice]);
  const carol = await stage.signedIn(stage.south, 'carol');
  await carol.goTo(link);
  const { page } = carol;
  await until('the picture moves', () => page.evaluate(() => (document.querySelector('.preview video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0) > 5));
  const levels = new Set();
  await until('the level moves', async () => levels.add(await page.locator('meter').evaluate(({ value }) => value)).size > 2);
  for (const kind of ['camera', 'microphone', 'speaker']) {
    const options = page.locator(`select[name=${kind}] option`);
    await until(`several of ${kind} are listed, by name`, async () => (await options.count()) > 2 && (await options.allTextContents()).every((label) => label !== ''));
  }
  const chosen = await page.locator('select[name=camera] option').last().getAttribute('value');
  const shown = () => page.evaluate(() => document.querySelector('.preview video')?.srcObject?.getVideoTracks()[0]?.getSettings().deviceId);
  assert.notEqual(await shown(), chosen);
  await page.selectOption('select[name=camera]', chosen);
  await until('the other camera is shown', async () => (await shown()) === chosen);
  assert.deepEqual(await carol.captures(), ['audio', 'video']);
  await carol.press('Mute', true);
  await page.reload();
  await until('the other camera is shown again', async () => (await shown()) === chosen);
  assert.equal(await page.locator('select[name=camera]').inputValue(), chosen);
  await carol.press('Unmute', true);
  await carol.press('Turn camera off');
  await carol.reads('Your camera is off');
  assert.deepEqual(await carol.captures(), ['audio']);
  await carol.press('Back');
  await carol.atStart();
  assert.deepEqual(await carol.captures(), []);
  await stage.dismiss(carol);
});

test('the door says whose meeting it is, which organisation holds it under whose law, and who cannot listen', async () => {
  const carol = await stage.signedIn(stage.south, 'carol');
  await carol.goTo(link);
  await carol.reads(/Hosts: .*alice@/u);
  await carol.reads('One person there');
  const [north] = stage.north.domain.split(':');
  await carol.reads(new RegExp(`Organisations: .*${north}.*\\(Germany\\)`, 'u'));
  await carol.reads('What you say and show is encrypted from your browser to theirs.');
  await carol.reads(new RegExp(`Hosted by .*${north}`, 'u'));
  await stage.dismiss(carol);
});

test('a microphone that was missing is tried again at the door, and shows as off until it is there', async () => {
  bob = await stage.person(stage.south, 'bob');
  await bob.context.addInitScript(pluggable, ['audio']);
  await bob.signIn(link);
  await bob.reads('No microphone was found');
  await bob.page.getByRole('button', { name: 'Unmute', exact: true }).waitFor();
  await bob.press('Try again: Microphone');
  await bob.reads('No microphone was found');
  await bob.page.evaluate(() => globalThis.plug());
  await bob.press('Try again: Microphone');
  await bob.page.getByRole('button', { name: 'Mute', exact: true }).waitFor();
  assert.equal(await bob.page.getByText('No microphone was found').count(), 0);
  await bob.join();
  await bob.inRoom();
  await Promise.all([alice.watches(bob), alice.listens()]);
});

test('what is unplugged in a call is replaced by another device, and the others hear and see on', async () => {
  await settled(bob);
  for (const kind of ['audio', 'video']) await bob.page.evaluate((kind) => globalThis.unplug(kind, true), kind);
  await until('another is captured', async () => (await bob.captures()).length === 2);
  await Promise.all([alice.watches(bob), alice.listens()]);
  await bob.page.waitForSelector('[data-control=microphone][aria-label=Mute]');
});

test('with no other it is off and said to be, for everybody; and once one is there it can be turned on', async () => {
  const muted = alice.page.locator('figure[data-own=false] [aria-label=Muted]');
  await settled(bob);
  await bob.page.evaluate(() => globalThis.unplug('audio', false));
  await bob.reads('Your microphone is gone, so you are muted.');
  await bob.page.waitForSelector('[data-control=microphone][aria-label=Unmute]');
  await muted.waitFor();
  await bob.page.evaluate(() => globalThis.unplug('video', false));
  await bob.reads('Your camera is gone, so it is off.');
  await until('alice sees no picture of bob', async () => (await alice.page.locator('figure[data-own=false] video').count()) === 0);
  assert.deepEqual(await bob.captures(), []);
  await bob.page.evaluate(() => globalThis.plug());
  await control(bob, 'microphone').click();
  await control(bob, 'camera').click();
  await muted.waitFor({ state: 'detached' });
  await Promise.all([alice.watches(bob), alice.listens()]);
});

test('the space bar, held, is to talk while muted, also after a click; those who come by keyboard press buttons with it', async () => {
  const muted = alice.page.locator('figure[data-own=false] [aria-label=Muted]');
  const { keyboard } = bob.page;
  await control(bob, 'microphone').click();
  await muted.waitFor();
  for (let time = 0; time < 2; time += 1) {
    await keyboard.down('Space');
    await keyboard.down('Space'); // As it repeats.
    await muted.waitFor({ state: 'detached' });
    await alice.listens();
    assert.equal(await control(bob, 'microphone').getAttribute('aria-label'), 'Mute');
    await keyboard.up('Space');
    await muted.waitFor();
    assert.equal(await control(bob, 'microphone').getAttribute('aria-label'), 'Unmute');
  }
  // A host who asks for silence is not talked over by a key that is still held.
  await keyboard.down('Space');
  await muted.waitFor({ state: 'detached' });
  await alice.open('People');
  await alice.page.click('[aria-label="Mute: bob"]');
  await muted.first().waitFor();
  await keyboard.down('Space');
  await bob.reads('muted you');
  assert.equal(await control(bob, 'microphone').getAttribute('aria-label'), 'Unmute');
  await keyboard.up('Space');
  // By keyboard away from the button and back to it.
  await keyboard.press('Tab');
  await keyboard.press('Shift+Tab');
  await keyboard.press('Space');
  await bob.page.waitForSelector('[data-control=microphone][aria-label=Mute]');
  await muted.first().waitFor({ state: 'detached' });
  // What is written is written.
  await keyboard.press('m');
  await muted.first().waitFor();
  await bob.open('Chat');
  await bob.page.click('[name=say]');
  await keyboard.type('m v');
  assert.equal(await bob.page.inputValue('[name=say]'), 'm v');
  assert.equal(await control(bob, 'microphone').getAttribute('aria-label'), 'Unmute');
});
