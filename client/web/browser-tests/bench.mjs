// What a person waits for, measured in Chromium: prints progress for people, and last of all one line of JSON for programs.

import { Stage } from './stage.mjs';

const LOADS = Number(process.env.CONCLAVE_LOADS ?? 9);
const JOINS = Number(process.env.CONCLAVE_JOINS ?? 9);
/** As laptops send them. */
const CHOICES = { width: 320, height: 240, frameRate: 15 };

const stage = await Stage.begun({ north: ['alice'], south: ['bob'] });
try {
  const loads = [];
  for (let load = 0; load < LOADS; load += 1) {
    loads.push(await coldLoad());
    console.error(`load ${load + 1} of ${LOADS}: ${Math.round(loads.at(-1).interactive)} ms, ${loads.at(-1).bytes} bytes`);
  }
  const frames = [];
  const comes = await meets();
  for (let join = 0; join < JOINS; join += 1) {
    frames.push(await comes());
    console.error(`join ${join + 1} of ${JOINS}: ${Math.round(frames.at(-1))} ms to the first frame`);
  }
  console.log(JSON.stringify({ interactive: loads.map(({ interactive }) => interactive), bytes: Math.max(...loads.map(({ bytes }) => bytes)), frames }));
} finally {
  await stage.end();
}

/** A browser profile that has never been here: until the first field can be used, and all that came over the network. */
async function coldLoad() {
  const person = await stage.person(stage.north, 'alice');
  await person.context.addInitScript(() => {
    new MutationObserver(() => {
      if (globalThis.interactive === undefined && document.querySelector('input[name=user]:enabled') !== null) globalThis.interactive = performance.now();
    }).observe(document, { childList: true, subtree: true });
  });
  const devtools = await person.context.newCDPSession(person.page);
  await devtools.send('Network.enable');
  let bytes = 0;
  devtools.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
  await person.page.goto(stage.north.origin, { waitUntil: 'networkidle' });
  await person.page.waitForFunction(() => globalThis.interactive !== undefined);
  const interactive = await person.page.evaluate(() => globalThis.interactive);
  await person.close();
  return { interactive, bytes };
}

/** Alice waits in the room; each time bob joins: from pressing the button until the first picture of her is there. */
async function meets() {
  const alice = await stage.signedIn(stage.north, 'alice', { choices: CHOICES });
  const link = await stage.meeting('Measured', [alice]);
  const bob = await stage.signedIn(stage.south, 'bob', { choices: CHOICES });
  return async () => {
    await bob.goTo(link);
    await bob.page.waitForSelector('.preview video');
    const waited = await bob.page.evaluate(
      () =>
        new Promise((resolve) => {
          const pressed = performance.now();
          document.querySelector('.join').click();
          const look = () => {
            const video = document.querySelector('figure[data-own=false] video');
            if (video === null) requestAnimationFrame(look);
            else video.requestVideoFrameCallback(() => resolve(performance.now() - pressed));
          };
          look();
        }),
    );
    await bob.leave();
    await alice.sees([alice.address]);
    return waited;
  };
}
