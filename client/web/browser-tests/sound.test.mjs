// Sound in a browser that plays none before the person has touched the page, and through the speaker that was chosen.

import { test } from 'node:test';

import { pluggable, untouched } from './page_hooks.mjs';
import { Stage } from './stage.mjs';
import { until } from './until.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob'] }, { without: ['--autoplay-policy=no-user-gesture-required'] });
let alice, bob, link;

/**
 * Comes in by a new tab that nobody has touched, with nothing captured, for a page that captures may play; waits until it is silent,
 * and gives where its button is.
 */
async function comesUntouched() {
  await bob.page.close();
  const page = await bob.context.newPage();
  bob.page = page;
  await page.addInitScript(pluggable, ['audio', 'video']);
  await page.addInitScript(untouched);
  const isBlocked = page.waitForEvent('console', (message) => message.text().startsWith('sound is blocked'));
  const [message] = await Promise.all([isBlocked, page.goto(`${stage.south.origin}${link}`)]);
  return message.text().split(' ').slice(-2).map(Number);
}

function sounds() {
  return bob.page.locator('audio').evaluateAll((all) => all.map(({ paused, sinkId }) => ({ paused, sinkId })));
}

test('what the browser does not play yet is played at the next touch, by the button or anywhere', async () => {
  alice = await stage.signedIn(stage.north, 'alice');
  bob = await stage.signedIn(stage.south, 'bob');
  link = await stage.meeting('Sound', [alice]);
  for (const isTheButton of [true, false]) {
    const button = await comesUntouched();
    await bob.page.mouse.click(...(isTheButton ? button : [5, 5]));
    await until('the sound is played', async () => (await sounds()).every(({ paused }) => !paused));
    await bob.page.locator('[data-control=sound]').waitFor({ state: 'detached' });
    await bob.listens();
  }
});

test('the speaker that is chosen plays, and the default one when that is chosen again', async () => {
  await bob.page.click('[data-control=more]');
  await bob.page.getByRole('menuitem', { name: 'Settings' }).click();
  const speaker = bob.page.locator('select[name=speaker]');
  const options = speaker.locator('option');
  await until('speakers are listed', async () => (await options.count()) > 2);
  const other = await options.last().getAttribute('value');
  for (const chosen of [other, '']) {
    await speaker.selectOption(chosen);
    await until(`sound goes to «${chosen}»`, async () => (await sounds()).every(({ sinkId }) => sinkId === chosen));
  }
});
