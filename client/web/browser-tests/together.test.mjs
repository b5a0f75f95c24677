// What people do beside talking: write letter by letter, raise hands, react, ask for silence, share the hosting, invite.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';
import { until } from './until.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob', 'carol'] });
let alice, bob, carol;

test('an invitation is on the start page of whoever is invited, and leads in by their own server', async () => {
  carol = await stage.signedIn(stage.south, 'carol');
  alice = await stage.signedIn(stage.north, 'alice');
  await stage.meeting('Harbour', [alice]);
  await alice.open('People');
  await alice.page.fill('input[name=invite]', carol.address);
  await alice.page.click('.people form .primary');
  await carol.page.waitForSelector('.invitation >> text=/invites you to .*Harbour/');
  await carol.page.click('.invitation .primary');
  await carol.join();
  await carol.inRoom();
  await alice.sees([alice.address, carol.address]);
  await carol.leave();
  await alice.sees([alice.address]);
});

test('a link for somebody leads to their own server', async () => {
  bob = await stage.signedIn(stage.south, 'bob');
  await alice.page.fill('input[name=invite]', bob.address);
  await alice.page.click('.people form button[type=button]');
  await alice.reads('Link copied');
  const link = await alice.page.evaluate(() => navigator.clipboard.readText());
  assert.ok(link.startsWith(`https://${stage.south.domain}/m/`) && link.includes('#'), link);
  await bob.enter(link.slice(link.indexOf('/m/')));
  await bob.inRoom();
  await alice.sees([alice.address, bob.address]);
});

test('a link that the browser does not let the page copy is shown to be copied by hand, and never said to be copied', async () => {
  await alice.page.keyboard.press('Escape'); // The panel goes, and with it what it said before.
  await alice.page.evaluate(() => {
    for (const how of ['write', 'writeText']) navigator.clipboard[how] = () => Promise.reject(new DOMException('denied', 'NotAllowedError'));
  });
  const field = alice.page.locator('dialog[open] input[name=by-hand]');
  const shown = async (begin) => {
    await until('the link is shown and selected', () => field.evaluate((input) => document.activeElement === input && input.value !== '' && input.selectionEnd - input.selectionStart === input.value.length));
    const link = await field.inputValue();
    assert.ok(link.startsWith(begin) && link.includes('#'), link);
    assert.equal(await alice.page.getByText('Link copied').count(), 0);
    await alice.page.keyboard.press('Escape');
    await field.waitFor({ state: 'detached' });
  };
  await alice.page.locator('header').getByRole('button', { name: 'Copy link' }).click();
  await shown(`${stage.north.origin}/m/`);
  await alice.open('People');
  await alice.page.fill('input[name=invite]', bob.address);
  await alice.page.click('.people form button[type=button]');
  await shown(`https://${stage.south.domain}/m/`);
  await alice.page.evaluate(() => {
    for (const how of ['write', 'writeText']) delete navigator.clipboard[how];
  });
});

test('who plans a meeting invites people to it, is told whom no device was found for, and has it as a calendar file', async () => {
  await carol.goTo('/');
  await carol.press('Plan a meeting');
  await carol.page.fill('input[name=planned-title]', 'Quarterly review');
  await carol.page.fill('textarea[name=people]', `${alice.address}, nobody@${stage.north.domain}`);
  await carol.page.locator('dialog[open] .primary').click();
  await carol.reads(`nobody@${stage.north.domain}`);
  await carol.page.locator('dialog[open]').getByRole('button', { name: 'Close' }).last().click();
  const planned = carol.page.locator('li', { hasText: 'Quarterly review' });
  const [file] = await Promise.all([carol.page.waitForEvent('download'), planned.getByRole('button', { name: 'Calendar file' }).click()]);
  const [calendar] = await file.createReadStream().then((stream) => stream.toArray());
  assert.match(String(calendar), /SUMMARY:Quarterly review/u);
});

test('what is written is read letter by letter, before it is sent, both ways', async () => {
  for (const [one, other] of [[alice, bob], [bob, alice]]) {
    await one.open('Chat');
    await one.page.check('input[name=live]');
    await other.open('People');
    await one.page.locator('#say').pressSequentially('In a hurr', { delay: 20 });
    await other.page.waitForSelector('.live >> text=In a hurr');
    assert.equal(await other.page.locator('[role=log]').count(), 0);
    await one.page.locator('#say').pressSequentially('y');
    await other.page.waitForSelector('.live >> text=In a hurry');
    await one.page.click('button[aria-label=Send]');
    await until('the line is no longer open', async () => (await other.page.locator('.live').count()) === 0);
    await other.hears('In a hurry');
  }
});

test('a line whose author turns away from it is on nobody\'s stage any more, and is still there for its author', async () => {
  for (const turn of [() => alice.page.keyboard.press('Escape'), () => alice.open('People')]) {
    await alice.open('Chat');
    await alice.page.fill('#say', '');
    await alice.page.locator('#say').pressSequentially('Not yet');
    await bob.open('People');
    await bob.page.waitForSelector('.live >> text=Not yet');
    await turn();
    await until('the line is gone', async () => (await bob.page.locator('.live').count()) === 0);
    await alice.open('Chat');
    assert.equal(await alice.page.inputValue('#say'), 'Not yet');
    assert.equal(await bob.page.getByText('Not yet').count(), 0);
    await alice.page.locator('#say').pressSequentially('!');
    await bob.page.waitForSelector('.live >> text=Not yet!');
  }
  await alice.page.click('button[aria-label=Send]');
  await bob.hears('Not yet!');
});

test('hands stand in their order, a host takes one down, and reactions are seen', async () => {
  await bob.page.click('[data-control=hand]');
  await alice.page.waitForSelector('[data-own=false] .hand >> text=1');
  await alice.page.click('[data-control=hand]');
  await bob.page.waitForSelector('[data-own=false] .hand >> text=2');
  await alice.open('People');
  await alice.page.click('[aria-label="Lower hand: bob"]');
  await bob.page.waitForSelector('[data-own=false] .hand >> text=1');
  await bob.page.waitForSelector('[data-control=hand][aria-label="Raise hand"]');
  await bob.page.click('[data-control=smile]');
  await bob.page.click('[role=menuitem][aria-label=Applause]');
  await alice.page.waitForSelector('.reactions >> text=👏');
});

test('a host asks for silence, and nobody but oneself unmutes', async () => {
  await alice.listens();
  await alice.page.click('[aria-label="Mute: bob"]');
  await bob.reads('muted you. Unmute when you want to speak.');
  await bob.page.waitForSelector('[data-control=microphone][aria-label=Unmute]');
  await alice.page.waitForSelector('[data-own=false] [aria-label=Muted]');
  assert.equal(await bob.page.locator('[aria-label^="Mute: "]').count(), 0, 'who is no host has no such button');
});

test('a co-host can do what hosts do, until no longer', async () => {
  await bob.open('People');
  await alice.page.click('[aria-label="Make co-host: bob"]');
  await bob.press('Lock the meeting');
  await alice.reads('Locked');
  await bob.press('Unlock the meeting');
  await alice.page.click('[aria-label="No longer co-host: bob"]');
  await until('bob hosts no more', async () => (await bob.page.locator('#hosting').count()) === 0);
});

test('who wants sound alone gets no pictures and sends none, and hears on', async () => {
  const choose = async (name) => {
    await alice.page.click('[data-control=more]');
    await alice.page.getByRole('menuitem', { name }).click();
  };
  await bob.page.click('[data-control=microphone]');
  await alice.watches(bob);
  await choose('Sound only');
  await until('no picture comes', async () => {
    const { framesDecoded } = await alice.received();
    await new Promise((resolve) => setTimeout(resolve, 500)); // Ten pictures a second came.
    return (await alice.received()).framesDecoded === framesDecoded;
  });
  await alice.listens();
  await until('bob sees no picture of alice', async () => (await bob.page.locator('figure[data-own=false] video').count()) === 0);
  await choose('With pictures again');
  await alice.watches(bob);
});
