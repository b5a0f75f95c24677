// Somebody comes and goes five times, and the two others do not notice in what they see and hear.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Stage } from './stage.mjs';

const stage = Stage.for({ north: ['alice'], south: ['bob', 'carol'] });
const TIMES = 5;
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

/** Gives whether pictures froze no more often than in the quiet time. */
async function round(context) {
  const begun = Date.now();
  const first = await look();
  for (let time = 0; time < TIMES; time += 1) await comesAndGoes();
  const second = await look();
  const span = Date.now() - begun;
  await new Promise((resolve) => setTimeout(resolve, span)); // The same time, and nothing happens.
  const third = await look();
  return ['alice', 'bob'].map((name) => {
    const [busy, quiet] = [between(first[name], second[name]), between(second[name], third[name])];
    context.diagnostic(`${name}, ${span} ms: ${JSON.stringify({ busy, quiet })}`);
    assert.ok(busy.framesDecoded > 10, `${name} saw the other all the time`);
    assert.equal(busy.refused, 0, `${name} could open every frame`);
    assert.ok(busy.name, `${name}'s decoder was not begun anew`);
    assert.equal(busy.asked, 0, `${name} needed no key frame`);
    // Who comes needs one to begin with; more than that would be asked in vain.
    assert.ok(busy.keyFramesDecoded - quiet.keyFramesDecoded <= TIMES, `${name} got one key frame for each newcomer at most`);
    return busy.freezes <= quiet.freezes;
  }).every((calm) => calm);
}

test('nobody present notices who comes and goes', async (context) => {
  alice = await stage.signedIn(stage.north, 'alice');
  bob = await stage.signedIn(stage.south, 'bob');
  carol = await stage.signedIn(stage.south, 'carol');
  link = await stage.meeting('Steady', [alice, bob]);
  await Promise.all([alice.watches(bob), bob.watches(alice)]);
  for (let rounds = 1; !(await round(context)); rounds += 1) assert.ok(rounds < ROUNDS, 'pictures froze in every round');
});
