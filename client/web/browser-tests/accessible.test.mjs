// In every state of the page: nothing serious by axe-core in both themes; no scrolling sideways at 320 pixels and at 200 % zoom;
// everything within reach of the keyboard, with its focus in sight; targets large enough; nothing moves for people who ask for that.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { axe, moving, resize, sideways, small, unreached } from './accessibility.mjs';
import { launch } from './person.mjs';
import { walk } from './walk.mjs';

const DESKTOP = { width: 1280, height: 800 };
/** Reflow: 1280 by 1024 at 400 %; a phone; 1280 by 800 at 200 %. */
const SIZES = { desktop: DESKTOP, phone: { width: 390, height: 844 }, narrow: { width: 320, height: 568 }, zoomed: { width: 640, height: 400 } };
const THEMES = ['light', 'dark'];

test('every state of the page is accessible', { timeout: 900_000 }, async () => {
  const found = [];
  let states = 0;
  const browser = await launch();
  try {
    await walk(browser, { locale: 'en', viewport: DESKTOP, reducedMotion: 'reduce' }, async (state, page) => {
      states += 1;
      for (const [size, viewport] of Object.entries(SIZES)) {
        await resize(page, viewport);
        const note = (what, all) => found.push(...all.map((one) => `${state}, ${what}, ${size}: ${one}`));
        note('reflow', await sideways(page));
        note('target', await small(page));
        note('keyboard', await unreached(page));
        if (size !== 'desktop' && size !== 'phone') continue;
        for (const colorScheme of THEMES) {
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
          note(colorScheme, await axe(page));
        }
        await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
      }
      found.push(...(await moving(page)).map((one) => `${state}, motion: ${one}`));
      await resize(page, DESKTOP);
      console.log(`# ${state}`);
    });
  } finally {
    await browser.close();
  }
  assert.ok(states > 35, `only ${states} states`);
  assert.ok(found.length === 0, found.join('\n'));
});
