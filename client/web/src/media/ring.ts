// Two soft tones, three times: somebody invites.

const TONES = [660, 880];
const TIMES = 3;
const APART_S = 1.4;

/** Rings until it is stopped; silent where the page may not play sound yet. */
export async function ring(speaker: string | undefined, stopped: AbortSignal): Promise<void> {
  const context = new AudioContext(speaker === undefined ? {} : ({ sinkId: speaker } as AudioContextOptions));
  for (let time = 0; time < TIMES; time += 1) {
    for (const [at, frequency] of TONES.entries()) {
      const from = context.currentTime + time * APART_S + at * 0.22;
      const tone = context.createOscillator();
      const volume = context.createGain();
      volume.gain.setValueAtTime(0, from);
      volume.gain.linearRampToValueAtTime(0.12, from + 0.03);
      volume.gain.exponentialRampToValueAtTime(0.001, from + 0.5);
      tone.frequency.value = frequency;
      tone.connect(volume).connect(context.destination);
      tone.start(from);
      tone.stop(from + 0.55);
    }
  }
  await new Promise((resolve) => {
    setTimeout(resolve, TIMES * APART_S * 1_000);
    stopped.addEventListener('abort', resolve);
  });
  await context.close();
}
