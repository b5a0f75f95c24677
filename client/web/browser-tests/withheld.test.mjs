// A home server that keeps the log from its own device can hide who came, not that it hides something.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';
import { until } from './until.mjs';
import { WithholdingServer } from './withholding_server.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob', 'carol'] });

test('who is kept from hearing that somebody came is told with whom they are out of step, and so are the others', async (context) => {
  const behind = await WithholdingServer.before(stage.south);
  context.after(() => behind.close());
  const alice = await stage.signedIn(stage.north, 'alice');
  const bob = await stage.signedIn({ ...stage.south, origin: behind.origin }, 'bob');
  const link = await stage.meeting('Withheld', [alice, bob]);
  await alice.watches(bob);
  await bob.watches(alice);

  behind.withholds = true;
  const carol = await stage.signedIn(stage.south, 'carol');
  await carol.enter(link);
  await carol.inRoom();
  await alice.sees([alice, bob, carol].map(({ address }) => address));
  await bob.sees([alice, bob].map(({ address }) => address));
  assert.ok(behind.kept > 0);

  const warnings = (person, other) => person.page.locator('.notice.warn', { hasText: other.user });
  const mark = (person, other) => person.page.locator(`figure[data-device*="/u/${other.user}/"] [data-mark=step]`);
  for (const [person, other] of [[bob, alice], [alice, bob]]) {
    await until(`${person.user} is told of ${other.user}`, () => warnings(person, other).first().isVisible());
    await mark(person, other).waitFor();
  }
  // What was sealed for those who are in the meeting with carol stays so.
  const before = await bob.counts();
  await alice.watches(carol);
  await carol.watches(alice);
  const now = await bob.counts();
  assert.equal(now.opened, before.opened);
  assert.ok(now.refused > before.refused);
  // Sound and pictures are one piece of news.
  assert.equal(await warnings(alice, bob).count(), 1);
  assert.equal(await mark(alice, carol).count(), 0);

  // The next entry that passes does not fit to what bob's device has: it follows this server no further.
  behind.withholds = false;
  await carol.say('Hello');
  await bob.reads('You are no longer in the meeting');
  await bob.reads('history does not fit together');
  await bob.press('Join again');
  await bob.join();
  await bob.inRoom();
  for (const [person, other] of [[bob, alice], [alice, bob]]) {
    await person.watches(other);
    await mark(person, other).waitFor({ state: 'detached' });
  }
});
