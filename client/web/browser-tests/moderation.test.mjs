// What hosts decide: who comes in, who goes, whether anybody new comes, and when it is over.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';
import { until } from './until.mjs';

const stage = Stage.for({ north: ['alice', 'carol'], south: ['bob', 'dave'] });
let alice, bob, carol, dave, link;
/** A page's workers tell so often how much they opened. */
const COUNTED_EVERY_MS = 1_000;

test('who comes by link waits in the lobby, unseen and unhearing, and may be turned away', async () => {
  alice = await stage.signedIn(stage.north, 'alice');
  bob = await stage.signedIn(stage.south, 'bob', { isStubborn: true });
  link = await stage.meeting('Lobby', [alice], { lobby: true });
  await bob.enter(link);
  await bob.reads('A host will let you in');
  await alice.open('People');
  await alice.reads('Waiting to be let in');
  await alice.sees([alice.address]);
  assert.equal((await bob.received()).framesDecoded, 0);
  await alice.press('Deny', true);
  await bob.reads('A host turned you away');
  assert.equal(await alice.page.getByText('Waiting to be let in').count(), 0);
});

test('who asks again may be admitted', async () => {
  await bob.press('Join again');
  await bob.join();
  await bob.reads('A host will let you in');
  await alice.open('People');
  await alice.press('Admit', true);
  await bob.inRoom();
  await alice.sees([alice.address, bob.address]);
  await alice.watches(bob);
  await bob.watches(alice);
});

test('who is removed sees and hears nothing within a second and never again, though their page keeps all that it has', async () => {
  carol = await stage.signedIn(stage.north, 'carol');
  await carol.enter(link);
  await alice.open('People');
  await alice.press('Admit', true);
  await carol.inRoom();
  await bob.watches(carol);
  await bob.watches(alice);
  await bob.notesGrowth();
  const clicked = await alice.remove(bob.address);
  await bob.reads('A host removed you from the meeting');
  await Promise.all([alice.sees([alice.address, carol.address]), carol.sees([alice.address, carol.address])]);
  for (const [one, other] of [[alice, carol], [carol, alice]]) {
    await one.watches(other, 'camera', 30);
    await one.listens();
  }
  assert.ok((await bob.played()) > 20 && (await bob.counts()).opened > 20, 'bob saw something before');
  const last = await bob.lastGrowth();
  const [played, opened] = [last.played - clicked, last.opened - clicked];
  console.log(`# after the click bob played for ${played} ms and opened for ${opened} ms`);
  assert.ok(played <= 1_000, `bob's page played a frame ${played} ms after the click`);
  assert.ok(opened <= 1_000 + COUNTED_EVERY_MS, `bob's page told ${opened} ms after the click that it opened more`);
});

test('who was removed stays out, and is told so', async () => {
  await bob.press('Join again');
  await bob.join();
  await bob.reads('You could not enter');
});

test('a locked meeting tells a newcomer why the door stays shut', async () => {
  await alice.open('People');
  await alice.press('Lock the meeting');
  await carol.reads('Locked');
  dave = await stage.signedIn(stage.south, 'dave');
  await dave.enter(link);
  await dave.reads('You could not enter');
  await until('the reason names the lock', async () => /locked/iu.test(await dave.page.locator('main').innerText()));
});

test('who is in and loads the page anew comes back in, though it is locked and has a lobby', async () => {
  await carol.page.reload();
  await carol.inRoom();
  await Promise.all([alice, carol].map((one) => one.sees([alice.address, carol.address])));
  await alice.watches(carol);
  await carol.watches(alice);
});

test('a host ends it for everybody', async () => {
  await alice.open('People');
  await alice.press('End for all');
  await alice.sure();
  for (const one of [alice, carol]) await one.reads('The meeting was ended for everybody');
  await dave.press('Join again');
  await dave.reads('This meeting was ended for good');
  assert.equal(await dave.page.getByRole('button', { name: 'Join now' }).count(), 0);
});
