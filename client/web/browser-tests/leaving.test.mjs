// The end of sessions: nothing of a person stays behind, and nobody is locked out.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';

const stage = Stage.for({ north: ['alice', 'bob'], south: [] });
/** What the browser writes of a call whose token is known no longer. */
const REFUSED = [/^Failed to load resource: .*401/u];

/** Another person at the same browser. */
async function comes(person, user) {
  person.user = user;
  await person.page.waitForSelector('input[name=user]');
  await person.page.fill('input[name=user]', user);
  await person.page.fill('input[name=password]', person.password);
  await person.press('Sign in');
  await person.atStart();
}

/** The page, once it has its list, shows nothing of the first person; nor does the store hold a place for it. */
async function findsNothing(person, title) {
  await person.reads('No meetings yet');
  assert.equal(await person.page.getByText(title).count(), 0);
  const kept = await person.page.evaluate(async () => {
    const [{ name }] = await indexedDB.databases();
    const settled = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
    const database = await settled(indexedDB.open(name));
    const keys = await settled(database.transaction('sealed').objectStore('sealed').getAllKeys());
    database.close();
    return keys;
  });
  assert.deepEqual(kept.filter((place) => place.startsWith('meeting/')), []);
}

async function account(person) {
  await person.page.locator('header button[aria-expanded]').click();
}

for (const how of ['Sign out', 'Sign out everywhere']) {
  test(`after "${how}" the next person at the browser finds nothing of the first`, async () => {
    const shared = await stage.signedIn(stage.north, 'alice');
    await shared.meetNow('Secret harvest');
    await shared.page.goto(stage.north.origin);
    await shared.page.locator('.meetings-list li', { hasText: 'Secret harvest' }).first().waitFor();
    await account(shared);
    await shared.page.locator('.account .row').getByRole('button', { name: how, exact: true }).click();
    await comes(shared, 'bob');
    await findsNothing(shared, 'Secret harvest');
    await stage.dismiss(shared);
  });
}

test('a device that is signed out from another forgets everything by itself', async () => {
  const away = await stage.signedIn(stage.north, 'alice');
  await away.meetNow('Left behind');
  await away.page.goto(stage.north.origin);
  await away.atStart();
  const near = await stage.signedIn(stage.north, 'alice');
  await away.expecting(REFUSED, async () => {
    await account(near);
    await near.page.locator('.account li').getByRole('button', { name: 'Sign out' }).first().click();
    await away.page.waitForSelector('input[name=user]');
    await comes(away, 'bob');
    await findsNothing(away, 'Left behind');
  });
});

test('a guest of one meeting comes to another one as anybody does, and has no start page', async () => {
  const alice = await stage.signedIn(stage.north, 'alice');
  const first = await stage.meeting('First', [alice]);
  const guest = await stage.person(stage.north, undefined);
  await guest.comeAsGuest(first, 'Gwen');
  await guest.join();
  await guest.inRoom();
  await guest.leave();
  await guest.press('To the start page');
  await guest.page.waitForSelector('input[name=user]');
  await guest.goTo(first);
  await guest.page.waitForSelector('button:has-text("Join now")');
  await alice.leave();
  const second = await stage.meeting('Second', [alice]);
  await guest.comeAsGuest(second, 'Gwen again');
  await guest.join();
  await guest.inRoom();
  assert.equal(await guest.path(), second);
});

test('whose session has ended is asked to sign in at the link that they opened', async () => {
  const alice = await stage.signedIn(stage.north, 'alice');
  const link = await stage.meeting('Third', [alice]);
  const bob = await stage.signedIn(stage.north, 'bob');
  const other = await stage.signedIn(stage.north, 'bob');
  await bob.page.goto('about:blank');
  await account(other);
  await other.page.locator('.account .row').getByRole('button', { name: 'Sign out everywhere' }).click();
  await other.page.waitForSelector('input[name=user]');
  await bob.expecting(REFUSED, async () => {
    await bob.page.goto(`${stage.north.origin}${link}`);
    await bob.press('I have an account here');
    await bob.page.fill('input[name=user]', bob.user);
    await bob.page.fill('input[name=password]', bob.password);
    await bob.press('Sign in');
    await bob.join();
    await bob.inRoom();
    assert.equal(await bob.path(), link);
  });
});
