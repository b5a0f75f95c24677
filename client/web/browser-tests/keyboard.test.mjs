// The whole journey by keyboard alone; and what happens meanwhile is said aloud.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Keyboard, listen } from './keyboard.mjs';
import { PASSWORD, Stage } from './stage.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob', 'carol', 'dave'] });
let alice, bob, keys, others, link;

async function signsIn(person, keyboard) {
  await person.page.goto(person.organisation.origin);
  await person.page.waitForSelector('input[name=user]');
  await keyboard.write('User name', person.user);
  await keyboard.write('Password', PASSWORD);
  await keyboard.press('Enter');
  await person.atStart();
}

async function comes(organisation, user) {
  const person = await stage.person(organisation, user);
  await person.context.addInitScript(listen);
  return [person, new Keyboard(person)];
}

test('signs in; a wrong password is said aloud', async () => {
  [alice, keys] = await comes(stage.north, 'alice');
  await alice.page.goto(alice.organisation.origin);
  await alice.page.waitForSelector('input[name=user]');
  await keys.write('User name', 'alice');
  await keys.write('Password', 'wrong');
  await keys.press('Enter');
  await keys.hears('not right');
  await keys.write('Password', PASSWORD);
  await keys.act('Sign in');
  await keys.reads('Good to see you');
  [bob, others] = await comes(stage.south, 'bob');
  await signsIn(bob, others);
});

test('creates a meeting and joins it', async () => {
  await keys.write('What is it about? (optional)', 'By keys alone');
  assert.equal((await keys.to('Let people wait until I admit them')).checked, false);
  await keys.press('Space');
  assert.equal((await keys.focus()).checked, true);
  await keys.press('Space');
  await keys.act('Meet now');
  await keys.reads('By keys alone');
  await keys.act('Turn camera off', 'Space');
  await keys.finds('Turn camera on');
  await keys.press('Space');
  await keys.act('Join now');
  await alice.inRoom();
  await keys.reads('In the room');
  link = await alice.path();
});

test('invites somebody by address, who hears of it and comes', async () => {
  await keys.act('People');
  await keys.write('People’s addresses, apart by spaces or commas', bob.address);
  await keys.press('Enter');
  await keys.hears('Invited one person');
  await others.hears('alice');
  await others.act('Join');
  await bob.page.waitForSelector('.join');
  await others.act('Join now');
  await bob.inRoom();
  await keys.hears('bob is here');
  await keys.press('Escape');
  await keys.finds('People');
});

test('mutes and unmutes', async () => {
  const muted = bob.page.locator('figure[data-own=false] [aria-label=Muted]');
  await keys.act('Mute', 'Space');
  await keys.finds('Unmute');
  await muted.waitFor();
  await keys.press('Enter');
  await keys.finds('Mute');
  await muted.waitFor({ state: 'detached' });
});

test('writes, and what is written is said aloud to the others, in the panel or out of it', async () => {
  await keys.act('Chat');
  await keys.finds('Write to everybody');
  await keys.type('Shall we begin?');
  await keys.press('Enter');
  await keys.hears('Shall we begin?');
  await others.hears('alice: Shall we begin?');
  await others.act('Chat');
  await others.finds('Write to everybody');
  await others.type('Yes.');
  await others.press('Enter');
  await keys.hears('Yes.');
  await keys.to('Chat', 'Shift+Tab');
  await keys.press('Escape');
  await keys.finds('Chat');
  assert.equal((await keys.focus()).expanded, 'false');
});

test('raises a hand, which is said aloud', async () => {
  await keys.act('Raise hand', 'Space');
  await others.hears('alice raised a hand');
  await keys.finds('Lower hand');
  await keys.press('Space');
  await keys.finds('Raise hand');
});

test('opens menus and dialogs and leaves them; the focus is back where it was', async () => {
  await keys.act('More');
  await keys.press('ArrowUp');
  await keys.press('Escape');
  await keys.finds('More');
  for (const [item, title] of [['Settings', 'Settings'], ['Statistics', 'Statistics']]) {
    await keys.press('Enter');
    await keys.to(item, 'ArrowDown');
    await keys.press('Enter');
    await alice.page.locator('dialog[open]').getByRole('heading', { name: title }).waitFor();
    assert.equal((await keys.focus()).inDialog, true);
    for (let press = 0; press < 12; press += 1) {
      await keys.press('Tab');
      const { inDialog, name } = await keys.focus();
      assert.ok(inDialog || name === '', `the focus left the dialog for ${name}`);
    }
    await keys.press('Escape');
    await alice.page.locator('dialog[open]').waitFor({ state: 'detached' });
    await keys.finds('More');
  }
});

test('keeps somebody large, and no longer', async () => {
  await keys.act('Keep large: bob', 'Space');
  await keys.finds('No longer keep large: bob');
  assert.equal(await alice.page.locator('.large figure[data-own=false]').count(), 1);
  await keys.act('No longer keep large: bob');
  await alice.page.locator('.large').waitFor({ state: 'detached' });
});

test('lets people in and turns them away one after another, without losing the place', async () => {
  await keys.act('People');
  await keys.act('Turn the lobby on');
  await keys.finds('Turn the lobby off');
  for (const user of ['carol', 'dave']) {
    const person = await stage.signedIn(stage.south, user);
    await person.enter(link);
    await person.reads('A host will let you in');
    await alice.page.locator('li', { hasText: person.address }).waitFor();
  }
  await keys.act('Deny');
  await keys.isAt('li', 'dave@');
  await keys.act('Admit');
  await keys.isAt('h3', 'In the room');
  await alice.page.locator('[data-member]', { hasText: 'dave@' }).waitFor();
});

test('removes somebody, to whom it is said aloud', async () => {
  await others.to('Chat');
  await keys.act('Remove: bob');
  await keys.isAt('h2', 'Remove');
  await keys.press('Tab');
  await keys.act('Remove');
  await others.hears('A host removed you from the meeting');
  await others.reads('A host removed you from the meeting');
  await keys.isAt('li', '');
  await keys.hears('bob has left');
});

test('leaves', async () => {
  await keys.press('Escape');
  await keys.act('Leave');
  await keys.reads('You left the meeting');
  await keys.act('To the start page');
  await keys.reads('Good to see you');
});
