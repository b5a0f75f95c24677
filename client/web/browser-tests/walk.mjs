// One walk through every state of the page, for those who look at each: the screenshots and the accessibility test.

import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Organisation } from './organisation.mjs';
import { denied, lossy } from './page_hooks.mjs';
import { Person } from './person.mjs';
import { until } from './until.mjs';

const PASSWORD = 'correct horse battery';
const HOUR_MS = 3_600_000;
/** What the browser notes of a server that was killed. */
const CUT = [/^Failed to load resource: net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE) /u];

/** Starts two organisations, walks, and calls `look(state, page)` in each state. `options` go to every browser context. */
export async function walk(browser, options, look) {
  const folder = mkdtempSync(join(process.env.CONCLAVE_STATE ?? tmpdir(), 'walk-'));
  const folders = ['north', 'south'].map((name) => join(folder, name));
  const [north, south] = await Promise.all(
    ['north', 'south'].map((name, at) => Organisation.init(process.env.CONCLAVE_SERVER, name, folders[at], folders, process.env.CONCLAVE_WEB)),
  );
  for (const user of ['alice', 'carol']) north.addUser(user, PASSWORD);
  for (const user of ['bob', 'dora']) south.addUser(user, PASSWORD);
  await Promise.all([north.start(), south.start()]);
  try {
    await journey({ browser, options, look, north, south });
  } finally {
    await Promise.all([north.stop(), south.stop()]);
  }
}

async function journey({ browser, options, look, north, south }) {
  const open = async (organisation, user, ...hooks) => {
    const person = await Person.open(browser, organisation, user, PASSWORD, options);
    for (const hook of hooks) await person.context.addInitScript(hook);
    return person;
  };
  const found = [];
  const dismiss = async (person) => {
    found.push(...(await person.misdeeds()).map((one) => `${person.user}: ${one}`));
    await person.close();
  };
  const [alice, bob] = [await open(north, 'alice', lossy), await open(south, 'bob')];
  const { page } = alice;
  const submit = (one) => one.click('form button.primary');
  const control = (one, name) => one.locator(`[data-control=${name}]`);

  await page.goto(north.origin);
  await page.waitForSelector('input[name=user]');
  await look('sign-in', page);
  await page.fill('input[name=user]', 'alice');
  await page.fill('input[name=password]', 'wrong');
  await submit(page);
  await page.waitForSelector('[role=alert]');
  await look('sign-in-refused', page);
  await page.fill('input[name=password]', PASSWORD);
  await submit(page);
  await page.waitForSelector('input[name=title]');
  await look('start-empty', page);
  const second = await alice.context.newPage();
  await second.goto(north.origin);
  await second.waitForSelector('main [role=alert]');
  await look('other-tab', second);
  await second.close();
  await page.click('.plan');
  await page.waitForSelector('dialog input[name=when]');
  await look('schedule', page);
  await page.fill('input[name=planned-title]', 'Quarterly review');
  await page.fill('textarea[name=people]', bob.address);
  await page.click('dialog button.primary');
  await page.waitForSelector('.meetings-list li');

  await page.goto(`${north.origin}/m/nonsense`);
  await page.waitForSelector('main [role=alert]');
  await look('bad-link', page);
  await page.goto(north.origin);
  await page.waitForSelector('input[name=title]');

  await page.fill('input[name=title]', 'Budget of the northern harbour');
  await page.check('input[name=lobby]');
  await submit(page);
  await page.waitForSelector('.join');
  const link = await page.evaluate(() => location.pathname + location.hash);
  await page.waitForSelector('.preview video');
  await look('before', page);
  await page.click('.join');
  await page.waitForSelector('footer .leave');
  await look('room-alone', page);

  const guest = await open(north, 'guest');
  await guest.page.goto(`${north.origin}${link}`);
  await guest.page.waitForSelector('input[name=guest]');
  await look('guest', guest.page);
  await guest.page.locator('form button').nth(2).click();
  await guest.page.waitForSelector('input[autocomplete=email]');
  await look('elsewhere', guest.page);
  await guest.page.locator('form button').nth(1).click();
  await guest.page.waitForSelector('input[name=guest]');

  const late = await Person.open(browser, north, 'late', PASSWORD, { ...options, clockOff: HOUR_MS });
  await late.page.goto(`${north.origin}${link}`);
  await late.page.waitForSelector('main [role=alert]');
  await look('failed', late.page);
  await dismiss(late);

  const carol = await open(north, 'carol', denied);
  await carol.page.goto(`${north.origin}${link}`);
  await carol.page.locator('form button').nth(1).click();
  await carol.page.fill('input[name=user]', 'carol');
  await carol.page.fill('input[name=password]', PASSWORD);
  await submit(carol.page);
  await carol.page.waitForFunction(() => document.querySelectorAll('.side .problem [role=alert]').length === 2);
  await look('before-denied', carol.page);
  await dismiss(carol);

  await bob.page.goto(`${south.origin}${link}`);
  await bob.page.waitForSelector('.card');
  await bob.page.locator('form button').nth(1).click();
  await bob.page.fill('input[name=user]', 'bob');
  await bob.page.fill('input[name=password]', PASSWORD);
  await submit(bob.page);
  await bob.page.waitForSelector('.join');
  await bob.page.click('.join');
  await bob.page.waitForSelector('main[aria-busy=true]');
  await page.waitForSelector('footer .call-out');
  await look('waiting', bob.page);
  await control(page, 'people').click();
  await page.waitForSelector('#outside');
  await look('room-asks', page);
  await page.locator('section .primary').first().click();
  await bob.page.waitForSelector('footer .leave');
  await until('alice sees bob', async () => (await alice.framesOf(bob)) > 3);
  await until('bob sees alice', async () => (await bob.framesOf(alice)) > 3);
  await look('room-people', page);
  await page.keyboard.press('Escape');
  await look('room-two', page);

  await control(bob.page, 'chat').click();
  await bob.page.fill('input[name=say]', 'The figures are in. Shall we begin with the quay?');
  await bob.page.keyboard.press('Enter');
  await control(page, 'chat').click();
  await page.fill('input[name=say]', 'Yes, please.');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=log] li.own');
  await page.waitForSelector('[role=log] li:not(.own)');
  await look('room-chat', page);
  await bob.page.check('input[name=live]');
  await bob.page.fill('input[name=say]', 'The quay itself is sound, but the cranes on it');
  await page.waitForSelector('[role=log] .live');
  await look('room-chat-live', page);
  await page.keyboard.press('Escape');
  await page.waitForSelector('.live');
  await look('room-live', page);
  await bob.page.click('form:has(#say) .primary');
  await page.waitForFunction(() => document.querySelectorAll('.live').length === 0);

  await page.evaluate(() => (globalThis.isLossy = true));
  await page.waitForSelector('[data-mark=poor]');
  await look('room-poor', page);
  await page.evaluate(() => (globalThis.isLossy = false));

  const dora = await open(south, 'dora');
  await dora.page.goto(south.origin);
  await dora.page.fill('input[name=user]', 'dora');
  await dora.page.fill('input[name=password]', PASSWORD);
  await submit(dora.page);
  await dora.page.waitForSelector('input[name=title]');
  await control(page, 'people').click();
  await page.fill('input[name=invite]', dora.address);
  await page.locator('form:has([name=invite]) .primary').click();
  await dora.page.waitForSelector('.invitation');
  await look('start-invited', dora.page);
  await dora.page.click('.invitation .primary');
  await dora.page.click('.join');
  await control(dora.page, 'leave').click();
  await dora.page.waitForSelector('.message h1');
  await look('over-left', dora.page);
  await dora.page.locator('.message .button').first().click();
  await dora.page.click('.join');
  await control(dora.page, 'leave').waitFor();
  found.push(...(await dora.misdeeds()).map((one) => `dora: ${one}`));
  await dora.page.close();
  await page.waitForSelector('[data-away]');
  await look('room-away', page);
  await page.waitForFunction(() => document.querySelectorAll('[data-member]').length === 2, undefined, { timeout: 60_000 });
  await dora.close();
  await page.keyboard.press('Escape');

  await guest.page.fill('input[name=guest]', 'Grace Hopper');
  await submit(guest.page);
  await guest.page.waitForSelector('.join');
  await guest.page.click('.join');
  await page.waitForSelector('footer .call-out');
  await control(page, 'people').click();
  await page.locator('section .primary').first().click();
  await guest.page.waitForSelector('footer .leave');
  await page.waitForFunction(() => document.querySelectorAll('figure').length === 3);
  await page.keyboard.press('Escape');
  await look('room-three', page);
  await control(bob.page, 'share').click();
  await until('alice sees the screen', async () => (await alice.framesOf(bob, 'screen')) > 3);
  await look('room-shared', page);
  await control(bob.page, 'share').click();
  await page.waitForFunction(() => document.querySelectorAll('figure[data-kind=screen]').length === 0);
  await control(bob.page, 'hand').click();
  await page.waitForSelector('figure .hand');
  await control(page, 'smile').click();
  await page.waitForSelector('[role=menu]');
  await look('room-reactions', page);
  // Whoever looks may have made the page narrow, where this menu is within another.
  if ((await page.locator('[role=menu]').count()) === 0) await control(page, 'smile').click();
  await page.locator('[role=menuitem]').nth(1).click();
  await bob.page.waitForSelector('figure .reactions');
  await control(page, 'microphone').click();
  await control(page, 'camera').click();
  await look('room-muted', page);
  await page.locator('.tool').first().focus();
  await page.keyboard.press('Enter');
  await look('room-pinned', page);
  await page.keyboard.press('Enter');

  await control(page, 'more').click();
  await page.waitForSelector('[role=menu]');
  await look('room-menu', page);
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog table');
  await look('room-statistics', page);
  await page.keyboard.press('Escape');
  await control(page, 'more').click();
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.waitForSelector('dialog select');
  await look('room-settings', page);
  await page.keyboard.press('Escape');
  await control(page, 'more').click();
  await page.keyboard.press('End');
  for (let up = 0; up < 5; up += 1) await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.large figure');
  await look('room-speaker', page);
  await control(page, 'more').click();
  await page.keyboard.press('End');
  for (let up = 0; up < 3; up += 1) await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelectorAll('figure video').length === 0);
  await look('room-sound-only', page);

  await bob.expecting(CUT, async () => {
    await south.stop('SIGKILL');
    await bob.page.waitForSelector('.notice.warn');
    await look('room-server-lost', bob.page);
    await south.start();
    await bob.page.waitForFunction(() => document.querySelector('.notice.warn') === null);
  });

  await control(page, 'people').click();
  await page.locator('[aria-labelledby=hosting] button').first().click();
  await page.waitForFunction(() => document.querySelector('header .state.quiet') !== null);
  await look('room-locked', page);
  await page.locator('[data-member] button').last().click();
  await page.waitForSelector('dialog .danger');
  await look('room-confirm', page);
  await page.click('dialog .danger');
  await guest.page.waitForSelector('.message');
  await look('over-removed', guest.page);
  await page.click('.actions .danger');
  await page.click('dialog .danger');
  await bob.page.waitForSelector('.message');
  await look('over-ended', bob.page);
  await page.waitForSelector('.message');
  await page.click('.message .primary');
  await page.waitForSelector('input[name=title]');
  await page.locator('header button').click();
  await page.waitForSelector('.account li');
  await look('start-account', page);
  for (const person of [alice, bob, guest]) await dismiss(person);
  assert.deepEqual(found, []);
}
