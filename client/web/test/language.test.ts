// The person's language, and how it writes days, numbers and more than one.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { choose, dateAndTimeOf, dateOf, list, number, region, t, timeOf } from '../src/text';

const WHEN = new Date(2027, 2, 7, 14, 5).getTime();
/** A space may be a narrow one, and variables stand between isolates. */
const plain = (text: string) => text.replace(/[\u2066-\u2069]/gu, '').replace(/[\u00a0\u202f]/gu, ' ');

test('days and times are written as where the person lives, not only as in their language', async () => {
  const written: Record<string, string> = {
    'en-GB': '7 Mar 2027, 14:05',
    'en-US': 'Mar 7, 2027, 2:05 PM',
    'de-AT': '07.03.2027, 14:05',
    'nl-NL': '7 mrt 2027, 14:05',
    'ja-JP': '2027/03/07 14:05',
  };
  for (const [tag, text] of Object.entries(written)) {
    assert.equal(await choose([tag, 'en-US']), tag.slice(0, 2));
    assert.equal(plain(dateAndTimeOf(WHEN)), text, tag);
  }
  await choose(['en-GB']);
  assert.deepEqual([dateOf(WHEN), timeOf(WHEN)], ['7 Mar 2027', '14:05']);
});

test('one and more than one, numbers, lists and countries go by the language', async () => {
  await choose(['de-DE']);
  assert.deepEqual([0, 1, 2].map((count) => plain(t('present', { count }))), ['Niemand da', 'Eine Person da', '2 Personen da']);
  assert.deepEqual([number(1234.5, 1), list(['a', 'b', 'c']), region('DK')], ['1.234,5', 'a, b und c', 'Dänemark']);
  await choose(['fr-FR']);
  assert.equal(plain(t('minutes', { count: 2 })), '2 minutes');
  await choose(['ja']);
  assert.deepEqual([1, 2].map((count) => plain(t('present', { count }))), ['1人が参加中', '2人が参加中']);
});

test('the first language that is there is taken, and English where none is', async () => {
  assert.equal(await choose(['pl-PL', 'fr-CA', 'de']), 'fr');
  assert.equal(t('cancel'), 'Annuler');
  assert.equal(await choose(['en-GB', 'de']), 'en');
  assert.equal(t('cancel'), 'Cancel');
  assert.equal(await choose(['pl-PL']), 'en');
  assert.equal(t('cancel'), 'Cancel');
});
