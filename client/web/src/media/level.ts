// How loud a microphone is, and a tone to try the speaker.

const GESTURES = ['click', 'keydown'];

export class Level {
  private context: AudioContext | undefined;
  private source: MediaStreamAudioSourceNode | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;

  /** Browsers may listen to nothing before the person has touched the page. */
  private readonly wake = () => void this.context?.resume().catch(() => undefined);

  /** `report` gets 0 to 1, ten times a second. */
  constructor(private readonly report: (level: number) => void) {}

  listen(track: MediaStreamTrack): void {
    this.stop();
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 512;
    this.context = context;
    this.source = context.createMediaStreamSource(new MediaStream([track]));
    this.source.connect(analyser);
    for (const gesture of GESTURES) addEventListener(gesture, this.wake);
    const samples = new Float32Array(analyser.fftSize);
    this.timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const energy = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      this.report(Math.min(1, Math.sqrt(energy) * 4));
    }, 100);
  }

  /** A short tone. */
  async beep(speaker: string | undefined): Promise<void> {
    const context = new AudioContext(speaker === undefined ? {} : ({ sinkId: speaker } as AudioContextOptions));
    const tone = context.createOscillator();
    const volume = context.createGain();
    volume.gain.setValueAtTime(0.15, context.currentTime);
    volume.gain.exponentialRampToValueAtTime(0.001, context.currentTime + 0.6);
    tone.frequency.value = 440;
    tone.connect(volume).connect(context.destination);
    tone.start();
    tone.stop(context.currentTime + 0.6);
    await new Promise((resolve) => (tone.onended = resolve));
    await context.close();
  }

  stop(): void {
    clearInterval(this.timer);
    for (const gesture of GESTURES) removeEventListener(gesture, this.wake);
    this.source?.disconnect();
    void this.context?.close();
    this.context = undefined;
    this.source = undefined;
  }
}
