// Every state of the page as a picture: desktop and phone, light and dark, English and Japanese. Usage: node screenshots.mjs FOLDER [LANGUAGE…]

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { launch } from './person.mjs';
import { walk } from './walk.mjs';

const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const [folder = 'screenshots', ...languages] = process.argv.slice(2);
const browser = await launch();
let taken = 0;
try {
  for (const locale of languages.length > 0 ? languages : ['en', 'ja']) {
    await walk(browser, { locale, viewport: SIZES.desktop }, async (state, page) => {
      for (const [size, viewport] of Object.entries(SIZES)) {
        await page.setViewportSize(viewport);
        for (const colorScheme of ['light', 'dark']) {
          await page.emulateMedia({ colorScheme });
          const into = join(folder, locale, `${size}-${colorScheme}`);
          mkdirSync(into, { recursive: true });
          await page.screenshot({ path: join(into, `${state}.png`) });
        }
      }
      await page.emulateMedia({ colorScheme: 'light' });
      await page.setViewportSize(SIZES.desktop);
      taken += 1;
      console.log(`  ${String(taken).padStart(3)}  ${locale}  ${state}`);
    });
  }
} finally {
  await browser.close();
}
