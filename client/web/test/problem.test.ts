// What went wrong, in the reader's language.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { problem, sentenceOf } from '../src/call/problem';
import { CommandError } from '../src/core/command_error';
import { choose, t } from '../src/text';

test('core names the problem, and what stands in its sentence is harmless', () => {
  const refused = new CommandError({ reason: 'malformed', id: 'unknown-domain', arguments: { domain: 'north\u202e.example' } });
  assert.deepEqual(problem(refused), ['problem-unknown-domain', { domain: 'north\ufffd.example' }]);
});

test('a fault of the page itself has one sentence, whatever its error says', () => {
  assert.deepEqual(problem(new TypeError('x is not a function')), ['problem-bug', {}]);
});

test('what is wrong with a link is said in the language of the reader', async () => {
  const cut = sentenceOf({ id: 'link-secret-length', arguments: { found: '42' } });
  assert.match(t(...cut), /after the # has .?42.? characters instead of 43/u);
  Object.defineProperty(globalThis, 'document', { value: { documentElement: {} }, configurable: true });
  await choose(['ja-JP']);
  assert.match(t(...cut), /# の後の部分が 43 文字ではなく .?42.? 文字です/u);
});
