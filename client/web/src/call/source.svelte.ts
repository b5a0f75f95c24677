// A camera or microphone that is captured, or not: one request to the browser at a time, and nothing stays on that is not wanted.

import * as capture from '../media/capture';
import type { Choices, Denied } from '../media/capture';

/** What lives no longer than this is not captured anew by itself. */
const BRIEF_MS = 2_000;

export class Source {
  /** What is captured now. */
  track = $state.raw<MediaStreamTrack | undefined>(undefined);
  /** Why nothing is. */
  problem = $state<Denied | undefined>(undefined);
  /** Told when the device went by itself: it was unplugged, or is no longer allowed. */
  gone: () => void = () => undefined;
  private wanted: Choices | undefined;
  private asking: Promise<void> | undefined;
  private wasBrief = false;
  private ended = false;

  constructor(
    private readonly kind: 'camera' | 'microphone',
    private readonly ask: (choices: Choices) => Promise<MediaStreamTrack> = capture[kind],
  ) {}

  /** The browser, or the person, has not answered yet. */
  get isAsking(): boolean {
    return this.asking !== undefined;
  }

  /** Captures the chosen device in place of whatever it was; settles once it does, or cannot. */
  open(choices: Choices): Promise<void> {
    if (this.ended) return Promise.resolve();
    this.close();
    this.wanted = choices;
    this.asking ??= this.request();
    return this.asking;
  }

  /** Captures something in place of what went by itself; not again if that comes and goes. */
  async replace(choices: Choices): Promise<void> {
    if (this.wasBrief) this.problem = 'missing';
    else await this.open(choices);
  }

  /** Settles once nothing is asked for any more. */
  settled(): Promise<void> {
    return this.asking ?? Promise.resolve();
  }

  close(): void {
    this.wanted = undefined;
    this.problem = undefined;
    this.track?.stop();
    this.track = undefined;
  }

  /** Nothing is captured from here on. */
  end(): void {
    this.ended = true;
    this.close();
  }

  private async request(): Promise<void> {
    while (this.wanted !== undefined && this.track === undefined) {
      const asked = this.wanted;
      try {
        const track = await this.ask(asked);
        if (this.stillWants(asked)) this.keep(track);
        else track.stop();
      } catch (error) {
        if (this.stillWants(asked)) this.fail(capture.deniedBy(error));
      }
    }
    this.asking = undefined;
  }

  private stillWants(asked: Choices): boolean {
    return this.wanted !== undefined && this.wanted[this.kind] === asked[this.kind];
  }

  private keep(track: MediaStreamTrack): void {
    if (track.readyState === 'ended') return this.fail('missing');
    this.track = track;
    const since = Date.now();
    track.onended = () => {
      if (this.track !== track) return;
      this.wasBrief = Date.now() - since < BRIEF_MS;
      this.close();
      this.gone();
    };
  }

  private fail(problem: Denied): void {
    this.wanted = undefined;
    this.problem = problem;
  }
}

/** What the door hands on to the call, open or still being opened. */
export interface Sources {
  camera: Source;
  microphone: Source;
}

/** Opens what these choices have on. */
export function open(choices: Choices): Sources {
  const sources = { camera: new Source('camera'), microphone: new Source('microphone') };
  if (choices.cameraOn) void sources.camera.open(choices);
  if (choices.microphoneOn) void sources.microphone.open(choices);
  return sources;
}
