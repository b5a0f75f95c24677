// Somebody comes and goes five times, and the two others do not notice in what they see and hear.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob', 'carol'] });
const TIMES = 5;
const QUIET_MS = 60_000;
/** A machine at its limits stalls pictures by itself; one round of so many must be calm. Everything else holds in each. */
const ROUNDS = 3;
let alice, bob, carol, link;

/** What the stream of one from the other has done until now. */
async function figures(one, other) {
  return { ...(await one.streamOf(other)), refused: (await one.counts()).refused };
}

async function look() {
  return { alice: await figures(alice, bob), bob: await figures(bob, alice) };
}

/** What happened between two looks; of the names, whether they are the same. */
function between(before, after) {
  return Object.fromEntries(Object.keys(after).map((key) => [key, key === 'name' ? before.name === after.name : after[key] - before[key]]));
}

async function comesAndGoes() {
  await carol.enter(link);
  await carol.inRoom();
  await carol.watches(alice, 'camera', 1);
  await alice.sees([alice.address, bob.address, carol.address]);
  await carol.leave();
  await alice.sees([alice.address, bob.address]);
}

/** What happened for each of the two while `act` ran, and how long that took. */
async function during(context, what, act) {
  const [begun, before] = [Date.now(), await look()];
  await act();
  const [after, span] = [await look(), Date.now() - begun];
  return Object.fromEntries(Object.keys(before).map((name) => {
    const seen = between(before[name], after[name]);
    context.diagnostic(`${name}, ${what}, ${span} ms: ${JSON.stringify(seen)}`);
    return [name, { ...seen, frozenOfMinute: (seen.frozenSeconds * QUIET_MS) / span }];
  }));
}

/** Gives whether pictures froze no more than in a quiet minute, which is needed only if they froze at all. */
async function round(context) {
  const busy = await during(context, 'busy', async () => {
    for (let time = 0; time < TIMES; time += 1) await comesAndGoes();
  });
  for (const [name, seen] of Object.entries(busy)) {
    assert.ok(seen.framesDecoded > 10, `${name} saw the other all the time`);
    assert.equal(seen.refused, 0, `${name} could open every frame`);
    assert.ok(seen.name, `${name}'s decoder was not begun anew`);
    assert.equal(seen.asked, 0, `${name} needed no key frame`);
    // Who comes needs one to begin with; more than that would be asked in vain.
    assert.ok(seen.keyFramesDecoded <= TIMES, `${name} got one key frame for each newcomer at most`);
  }
  if (Object.values(busy).every(({ freezes }) => freezes === 0)) return true;
  const quiet = await during(context, 'quiet', () => new Promise((resolve) => setTimeout(resolve, QUIET_MS)));
  return Object.entries(busy).every(([name, { frozenOfMinute }]) => frozenOfMinute <= quiet[name].frozenOfMinute);
}

test('nobody present notices who comes and goes', async (context) => {
  alice = await stage.signedIn(stage.north, 'alice');
  bob = await stage.signedIn(stage.south, 'bob');
  carol = await stage.signedIn(stage.south, 'carol');
  link = await stage.meeting('Steady', [alice, bob]);
  await Promise.all([alice.watches(bob), bob.watches(alice)]);
  for (let rounds = 1; !(await round(context)); rounds += 1) assert.ok(rounds < ROUNDS, 'pictures froze in every round');
});
