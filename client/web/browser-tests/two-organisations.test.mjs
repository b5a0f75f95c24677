// alice@north and bob@south, each in a browser of their own, through their own servers.

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Organisation } from './organisation.mjs';
import { Person, launch, until } from './person.mjs';

const SERVER = process.env.CONCLAVE_SERVER;
const PASSWORD = 'correct horse battery';
let browser, north, south, alice, bob;

before(async () => {
  const folder = mkdtempSync(join(process.env.CONCLAVE_STATE ?? tmpdir(), 'browser-'));
  const folders = [join(folder, 'north'), join(folder, 'south')];
  north = await Organisation.init(SERVER, 'north', folders[0], folders, process.env.CONCLAVE_WEB);
  south = await Organisation.init(SERVER, 'south', folders[1], folders, process.env.CONCLAVE_WEB);
  north.addUser('alice', PASSWORD);
  south.addUser('bob', PASSWORD);
  await Promise.all([north.start(), south.start()]);
  browser = await launch();
  alice = await Person.open(browser, north, 'alice', PASSWORD);
  bob = await Person.open(browser, south, 'bob', PASSWORD);
});

after(async () => {
  await browser?.close();
  await Promise.all([north?.stop(), south?.stop()]);
});

test('open a link, and talk', async (t) => {
  let link;
  await t.test('alice signs in and meets now', async () => {
    await alice.signIn();
    link = await alice.meetNow('Weekly');
    await alice.join();
    await alice.inRoom();
  });
  await t.test('bob opens the link at his own server and joins', async () => {
    await bob.signIn(link);
    await bob.join();
    await bob.inRoom();
  });
  await t.test('pictures and sound come both ways', async () => {
    for (const [one, other] of [[alice, bob], [bob, alice]]) {
      await until(`${one.user} sees ${other.user}`, async () => (await one.framesOf(other)) > 10);
      await until(`${one.user} hears ${other.user}`, async () => (await one.energy()) > 0);
    }
  });
  await t.test('chat goes both ways, and both see the same code', async () => {
    await alice.say('Good morning from the north');
    await bob.hears('Good morning from the north');
    await bob.say('<b>and</b> from the south');
    await alice.hears('<b>and</b> from the south');
    const codes = [await alice.code(), await bob.code()];
    assert.match(codes[0], /^(\d{5} ){5}\d{5}$/);
    assert.equal(codes[0], codes[1]);
  });
  await t.test('bob leaves, and alice sees him go', async () => {
    await bob.leave();
    await bob.page.waitForSelector('text=You left the meeting');
    await until('bob is gone', async () => (await alice.page.locator(`[data-member="${bob.address}"]`).count()) === 0);
  });
  await t.test('no page asked anybody else, broke the policy or failed', async () => {
    assert.deepEqual(await alice.misdeeds(), []);
    assert.deepEqual(await bob.misdeeds(), []);
  });
});
