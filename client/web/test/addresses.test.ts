// Addresses as people type them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { addresses } from '../src/call/addresses';

test('addresses stand apart by blanks, commas, semicolons or lines, each counted once', () => {
  assert.deepEqual(addresses(' alice@north.example, BOB@south.example;\ncarol@north.example\talice@North.example '), {
    good: ['alice@north.example', 'bob@south.example', 'carol@north.example'],
    bad: [],
  });
  assert.deepEqual(addresses(' , ; \n'), { good: [], bad: [] });
});

test('an address may carry a port and stand in angle brackets', () => {
  assert.deepEqual(addresses('<bob@south.localhost:8443>').good, ['bob@south.localhost:8443']);
});

test('what is no address is named as it was typed', () => {
  const wrong = ['bob', '@south.example', 'bob@', 'a@b@c.example', 'bob@-south.example', 'bob@south.example-', 'bob@south.example:123456', 'bob@so/uth', `${'b'.repeat(65)}@south.example`];
  for (const one of wrong) assert.deepEqual(addresses(one), { good: [], bad: [one] }, one);
  assert.deepEqual(addresses('bob@south.example nobody'), { good: ['bob@south.example'], bad: ['nobody'] });
});
