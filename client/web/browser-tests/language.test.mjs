// Who speaks another language reads it, with days and numbers as it writes them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PASSWORD, Stage } from './stage.mjs';
import { until } from './until.mjs';

const stage = Stage.for({ north: ['alice', 'bob'] });
/** What the start page says, and of the meeting when nobody, one and two are there. */
const LANGUAGES = {
  'de-DE': { lang: 'de', heading: 'Meine Besprechungen', when: '07.03.2037, 14:05', there: ['Niemand da', 'Eine Person da', '2 Personen da'] },
  'ja-JP': { lang: 'ja', heading: '自分の会議', when: '2037/03/07 14:05', there: ['誰もいません', '1人が参加中', '2人が参加中'] },
  'en-GB': { lang: 'en', heading: 'My meetings', when: '7 Mar 2037, 14:05', there: ['Nobody there', 'One person there', '2 people there'] },
};
let readers;

test('a planned meeting is read in German, Japanese and British English', async () => {
  const alice = await stage.signedIn(stage.north, 'alice');
  const bob = await stage.signedIn(stage.north, 'bob');
  // Further devices of hers, in other languages.
  readers = await Promise.all(
    Object.keys(LANGUAGES).map(async (locale) => {
      const { page } = await stage.person(stage.north, 'alice', { locale });
      await page.goto(stage.north.origin);
      await page.fill('input[name=user]', 'alice');
      await page.fill('input[name=password]', PASSWORD);
      await page.click('form .primary');
      await page.waitForSelector('#mine');
      return { ...LANGUAGES[locale], page };
    }),
  );
  await bob.press('Plan a meeting');
  await bob.page.fill('input[name=planned-title]', 'Elsewhere');
  await bob.page.fill('input[name=when]', '2037-03-07T14:05');
  await bob.page.fill('textarea[name=people]', alice.address);
  await bob.page.locator('dialog[open] .primary').click();
  for (const { lang, heading, when, page } of readers) {
    assert.equal(await page.getAttribute('html', 'lang'), lang);
    assert.equal(await page.innerText('#mine'), heading);
    await until(`the invitation reads ${when}`, async () => (await page.innerText('.invitation')).replace(/[\u00a0\u202f]/gu, ' ').includes(when));
  }
  const link = await alice.meetNow('Here');
  await say(0);
  await alice.join();
  await alice.inRoom();
  await say(1);
  await bob.enter(link);
  await bob.inRoom();
  await say(2);
});

async function say(people) {
  for (const { there, page } of readers) {
    // Of hers this device has not been told the title.
    const meeting = page.locator('.meetings-list li', { hasNotText: 'Elsewhere' });
    await until(`the meeting reads ${there[people]}`, async () => (await meeting.innerText()).replace(/[\u2066-\u2069]/gu, '').includes(there[people]));
  }
}
