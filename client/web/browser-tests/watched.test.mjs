// Whoever looks over people's pages after each test sees what their workers do as well.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';
import { until } from './until.mjs';

const stage = Stage.for({ north: ['alice'] });
const ELSEWHERE = 'https://elsewhere.invalid/';

/** What a page or its frame worker may do wrong, and the words that it is seen by. */
const MISDEEDS = {
  'a request elsewhere': [(address) => void fetch(address).catch(() => undefined), /content security policy/iu],
  'code out of a text': [() => setTimeout("'text'"), /content security policy/iu],
  'an error that is noted': [() => console.error('noted'), /noted/u],
  'an error that nobody catches': [() => void setTimeout(() => { throw new Error('thrown'); }), /thrown/u],
  'a promise that nobody keeps': [() => void Promise.reject(new Error('broken')), /broken/u],
};

test('what the page or its worker does wrong is found', async () => {
  const alice = await stage.signedIn(stage.north, 'alice');
  await stage.meeting('Watched', [alice]);
  await until('the frame worker runs', () => alice.page.workers().length === 1);
  assert.deepEqual(await alice.misdeeds(), []);
  const [worker] = alice.page.workers();
  for (const [place, where] of Object.entries({ page: alice.page, worker })) {
    for (const [what, [act, words]] of Object.entries(MISDEEDS)) {
      await where.evaluate(act, ELSEWHERE);
      await until(`${what} of the ${place} is found`, async () => (await alice.misdeeds()).some((one) => words.test(one)));
      alice.forget();
      await alice.page.evaluate(() => globalThis.violations.splice(0));
    }
  }
});

test('requests of the worker are among those looked at', async () => {
  const [alice] = stage.people;
  const address = `${alice.organisation.origin}/icon.svg?worker`;
  await alice.page.workers()[0].evaluate((address) => fetch(address).then((answer) => answer.text()), address);
  assert.ok(alice.requests.includes(address));
});
