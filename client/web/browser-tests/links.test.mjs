// Links that lead nowhere or elsewhere, and what hostile people write.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PASSWORD, Stage } from './stage.mjs';
import { Terminal } from './terminal.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob', 'mallory'] });
let alice, link;

test('a malformed link is told what is wrong with it', async () => {
  alice = await stage.signedIn(stage.north, 'alice');
  const id = 'a'.repeat(52);
  const secret = 's'.repeat(43);
  const malformed = {
    '/m/': /should look like https:/,
    '/m/hello': /should look like https:/,
    [`/m/zz@${stage.north.domain}#${secret}`]: /before the @ has .?2.? characters instead of 52/,
    [`/m/${id.replace('a', '1')}@${stage.north.domain}`]: /before the @ holds a character/,
    [`/m/${id}@${stage.north.domain}#short`]: /after the # has .?5.? characters instead of 43/,
    [`/m/${id}@${stage.north.domain}#${secret.replace('s', '*')}`]: /after the # holds a character/,
    [`/m/${id}@-`]: /after the @ is not the name of a server/,
    '/m/%E0%A4%A@x': /before the @ has/,
  };
  for (const [path, why] of Object.entries(malformed)) {
    await alice.goTo(path);
    assert.match(await alice.page.getByText('This link does not work:').innerText(), why, path);
    await alice.press('To the start page');
    await alice.atStart();
  }
});

test('nonsense that is pasted into the field is told so too', async () => {
  await alice.page.fill('input[name=link]', 'https://elsewhere.example/<b>nonsense</b>');
  await alice.press('Join', true);
  await alice.page.getByText('This link does not work:').waitFor();
  assert.equal(await alice.page.locator('main b').count(), 0);
});

test('a link at a foreign server hands over to the own server with the fragment intact', async () => {
  await alice.page.goto(`${stage.north.origin}/`);
  link = await stage.meeting('Elsewhere', [alice]);
  const bob = await stage.signedIn(stage.south, 'bob');
  // What he asked before counts as his own server's; then comes the one navigation to the foreign link.
  assert.deepEqual(await bob.misdeeds(), []);
  bob.forget();
  await bob.page.goto(`${stage.north.origin}${link}`);
  await bob.press('My account is on another server');
  await bob.page.getByRole('textbox').fill('nobody');
  await bob.press('Go to my server');
  await bob.reads('An address looks like');
  const abroad = new Set(bob.requests.map((url) => new URL(url).origin));
  assert.deepEqual([...abroad], [stage.north.origin]);
  bob.forget();
  await bob.page.getByRole('textbox').fill(bob.address);
  await bob.press('Go to my server');
  // The public port, which his address names, shows the way to the one without TLS.
  bob.requests = bob.requests.filter((url) => !url.startsWith(`http://${stage.south.domain}/`));
  await bob.page.getByRole('button', { name: 'Join now' }).waitFor();
  assert.equal(await bob.page.evaluate(() => location.origin + location.search), `${stage.south.origin}?account`);
  assert.equal(await bob.path(), link);
  bob.requests = bob.requests.filter((url) => !url.startsWith(`http://${stage.south.domain}/`));
  await bob.join();
  await bob.inRoom();
  await bob.watches(alice);
});

test('who is handed to their own server and is not signed in there is asked for their account, not for a name as a guest', async () => {
  const carol = await stage.person(stage.south, 'carol');
  await carol.page.goto(`${stage.south.origin}${link.replace('#', '?account#')}`);
  await carol.page.waitForSelector('input[name=user]');
  await carol.page.goto('about:blank');
  await carol.page.goto(`${stage.south.origin}${link}`);
  await carol.page.waitForSelector('input[name=guest]');
  await carol.close();
});

/** Markup, a direction override, an isolate that is never closed, a zero-width joiner, a line break. */
const TRICKS = '<img src=x onerror=alert(1)><script>alert(2)</script>\u202egnp.exe\u2066\u200b\nsecond line';

async function harmless(person) {
  const found = await person.page.evaluate(() => ({
    markup: document.querySelectorAll('img, [role=log] script, [data-member] script').length,
    overrides: /[\u202a-\u202e\u200b]/u.test(document.body.innerText),
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  }));
  assert.deepEqual(found, { markup: 0, overrides: false, wide: false });
}

test('hostile names are text', async () => {
  const guest = await stage.person(stage.north, undefined);
  await guest.page.goto(`${stage.north.origin}${link}`);
  await guest.page.locator('input[name=guest]').evaluate((input) => input.removeAttribute('maxlength'));
  // What no certificate can hold is refused, and said so.
  for (const name of ['w'.repeat(10_000), 'Gwen\u202egnp.exe']) {
    await guest.page.fill('input[name=guest]', name);
    await guest.press('Go on as a guest');
    await guest.reads('A name has 1 to 64 characters');
  }
  await guest.page.fill('input[name=guest]', '<img src=x onerror=alert(1)><b>Gwen</b>');
  await guest.press('Go on as a guest');
  await guest.join();
  await guest.inRoom();
  await alice.open('People');
  await alice.page.locator('[data-member]', { hasText: '<img src=x' }).waitFor();
  await harmless(alice);
  await guest.leave();
});

test('hostile chat is text, however long', async () => {
  const mallory = Terminal.signIn(stage.south, 'mallory', PASSWORD);
  mallory.join(link);
  await mallory.inRoom();
  mallory.order({ cmd: 'chat', text: TRICKS });
  mallory.order({ cmd: 'chat', text: `long ${'W'.repeat(10_000)}` });
  mallory.order({ cmd: 'chat', text: 'and the last' });
  await alice.hears('and the last');
  const log = await alice.page.locator('[role=log]').innerText();
  assert.ok(log.includes('<img src=x onerror=alert(1)><script>alert(2)</script>'), log.slice(0, 300));
  await harmless(alice);
  await mallory.leave();
});
