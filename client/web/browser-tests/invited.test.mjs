// Invitations until they are answered, and links that keep up with removals.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';
import { until } from './until.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob', 'carol', 'dave'] });
/** What the browser writes of requests that a server leaves without an answer. */
const CUT = [/^Failed to load resource: net::ERR_/u];
let alice, bob, carol, link;

async function invite(host, who) {
  await host.open('People');
  await host.page.fill('input[name=invite]', who.address);
  await host.page.click('.people form .primary');
}

const card = (person) => person.page.locator('.invitation', { hasText: /invites you to .*Harbour/u });
const row = (person) => person.page.locator('.meetings-list li', { hasText: 'Harbour' });

test('an invitation is still there after a reload, and stays in the list after it was dismissed', async () => {
  bob = await stage.signedIn(stage.south, 'bob');
  alice = await stage.signedIn(stage.north, 'alice');
  link = await stage.meeting('Harbour', [alice]);
  await invite(alice, bob);
  await card(bob).waitFor();
  await bob.page.reload();
  await card(bob).waitFor();
  await row(bob).getByText(/Invited by .*alice@/u).waitFor();
  await bob.press('Dismiss');
  await card(bob).waitFor({ state: 'detached' });
  await bob.page.reload();
  await row(bob).getByText(/Invited by .*alice@/u).waitFor();
  assert.equal(await card(bob).count(), 0);
  await row(bob).getByRole('button', { name: /^Join/u }).click();
  await bob.join();
  await bob.inRoom();
  await bob.leave();
  await bob.press('To the start page');
  await row(bob).getByText(/Invited by/u).waitFor({ state: 'detached' });
  await row(bob).waitFor();
});

test('an invitation comes through although the server was gone meanwhile', async () => {
  carol = await stage.signedIn(stage.south, 'carol');
  await carol.expecting(CUT, () =>
    bob.expecting(CUT, async () => {
      await stage.south.stop('SIGKILL');
      await stage.south.start();
      await invite(alice, carol);
      await alice.reads(/invited/iu);
      await card(carol).waitFor();
    }),
  );
});

test('at the door of another meeting an invitation can be answered, and stops ringing with that', async () => {
  await bob.meetNow('Elsewhere');
  await bob.page.evaluate(() => {
    globalThis.rings = [];
    globalThis.AudioContext = class extends AudioContext {
      constructor(...given) {
        super(...given);
        globalThis.rings.push(this);
      }
    };
  });
  await invite(alice, bob);
  await card(bob).waitFor();
  // The last sound that the page made ready; the one before is the door's level.
  const ringing = () => bob.page.evaluate(() => globalThis.rings.at(-1).state);
  assert.equal(await ringing(), 'running');
  await card(bob).getByRole('button', { name: 'Dismiss' }).click();
  await until('the ring ends', async () => (await ringing()) === 'closed', 1_500);
  await card(bob).waitFor({ state: 'detached' });
});

test('whoever came by the link sees the title in the room, after a reload too', async () => {
  await bob.enter(link);
  await bob.inRoom();
  await bob.page.locator('header .title', { hasText: 'Harbour' }).waitFor();
  await bob.page.reload();
  await bob.inRoom();
  await bob.page.locator('header .title', { hasText: 'Harbour' }).waitFor();
});

test('after a removal and a reload the host copies the link that admits, and others are told that they have none', async () => {
  await carol.enter(link);
  await carol.inRoom();
  await alice.remove(carol.address);
  await carol.reads('A host removed you from the meeting');
  await alice.goTo(link);
  await alice.join();
  await alice.inRoom();
  await alice.page.reload();
  await alice.inRoom();
  await alice.page.locator('header').getByRole('button', { name: 'Copy link' }).click();
  await alice.page.locator('header').getByText('Link copied').first().waitFor();
  const copied = await alice.page.evaluate(() => navigator.clipboard.readText());
  const path = copied.slice(copied.indexOf('/m/'));
  assert.notEqual(path, link);
  assert.equal(await alice.path(), path);
  await bob.page.locator('header').getByRole('button', { name: 'Copy link' }).click();
  await bob.reads('knows no link');
  const dave = await stage.signedIn(stage.south, 'dave');
  await dave.enter(path);
  await dave.inRoom();
  await alice.sees([alice.address, bob.address, dave.address]);
});

test('planning again after an invitation failed plans no second meeting', async () => {
  await bob.leave();
  await bob.press('To the start page');
  await bob.page.click('button.plan');
  await bob.page.fill('input[name=planned-title]', 'Only once');
  await bob.page.fill('textarea[name=people]', alice.address);
  await bob.expecting(CUT, async () => {
    await bob.page.route('**/*DirectoryService/LookUpUser', (route) => route.abort());
    await bob.page.click('dialog form .primary');
    await bob.page.locator('dialog [role=alert]').waitFor();
    await bob.page.unroute('**/*DirectoryService/LookUpUser');
  });
  await bob.page.click('dialog form .primary');
  await bob.page.locator('dialog[open]').waitFor({ state: 'detached' });
  await bob.page.reload();
  await bob.page.locator('.meetings-list li', { hasText: 'Only once' }).first().waitFor();
  assert.equal(await bob.page.locator('.meetings-list li', { hasText: 'Only once' }).count(), 1);
});
