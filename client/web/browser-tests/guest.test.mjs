// Somebody without an account opens a link at the inviting organisation's server, gives a name, and talks.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob'] });
let alice, bob, guest, link;

test('a guest comes by the link alone, under the name that they give', async () => {
  alice = await stage.signedIn(stage.north, 'alice');
  bob = await stage.signedIn(stage.south, 'bob');
  link = await stage.meeting('With a guest', [alice, bob], { guests: true });
  guest = await stage.person(stage.north, undefined);
  await guest.comeAsGuest(link, 'Gwen of no organisation');
  await guest.join();
  await guest.inRoom();
});

test('everybody sees the guest marked as one, of the organisation that vouches for the device', async () => {
  for (const one of [alice, bob, guest]) {
    await one.open('People');
    const line = one.page.locator('[data-member]', { hasText: 'Gwen of no organisation' });
    await line.getByText('Guest', { exact: true }).waitFor();
    const address = await line.getAttribute('data-member');
    assert.ok(address.endsWith(`@${stage.north.domain}`), address);
    guest.user = address.slice(0, address.lastIndexOf('@'));
    for (const other of [alice, bob]) assert.equal(await (await one.line(other.address)).getByText('Guest', { exact: true }).count(), 0);
  }
  const tile = alice.page.locator('figure[data-own=false]', { hasText: 'Gwen of no organisation' });
  await tile.getByText('Guest', { exact: true }).waitFor();
});

test('pictures and sound go to the guest and come from there', async () => {
  for (const [one, other] of [[guest, alice], [guest, bob], [alice, guest], [bob, guest]]) await one.watches(other);
  for (const one of [alice, bob, guest]) await one.listens();
  assert.equal(await guest.code(), await alice.code());
});

test('a guest cannot act as a host', async () => {
  await guest.open('People');
  for (const name of ['Remove', 'Lock the meeting', 'End for all']) assert.equal(await guest.page.getByRole('button', { name }).count(), 0, name);
});

test('where guests are not allowed, one is told so', async () => {
  await alice.leave();
  const closed = await stage.meeting('Without guests', [alice], { guests: false });
  const other = await stage.person(stage.north, undefined);
  await other.comeAsGuest(closed, 'Harry');
  await other.reads(/guest/iu);
  assert.equal(await other.page.getByRole('button', { name: 'Leave' }).count(), 0);
  await alice.sees([alice.address]);
});
