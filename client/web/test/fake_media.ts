// Tracks and permissions as tests want them, where there is no browser.

import type { Choices } from '../src/media/capture';

export const CHOICES: Choices = { camera: undefined, microphone: undefined, speaker: undefined, cameraOn: true, microphoneOn: true, typing: false, shortcuts: true, width: 1, height: 1, frameRate: 1 };

export class FakeTrack {
  readyState: 'live' | 'ended' = 'live';
  onended: (() => void) | null = null;

  constructor(readonly device: string) {}

  stop(): void {
    this.readyState = 'ended';
  }

  /** As when it is unplugged. */
  unplug(): void {
    this.readyState = 'ended';
    this.onended?.();
  }
}

interface Asked {
  device: string;
  answer: (track: FakeTrack) => void;
  deny: (name: string) => void;
}

/** A browser that is asked for devices, and answers when told to. */
export class Browser {
  readonly asked: Asked[] = [];
  readonly given: FakeTrack[] = [];

  readonly ask = (device: string): Promise<MediaStreamTrack> =>
    new Promise((resolve, reject) => {
      this.asked.push({ device, answer: (track) => resolve(track as unknown as MediaStreamTrack), deny: (name) => reject(new DOMException('', name)) });
    });

  /** Answers the oldest question, and gives the track. */
  async give(): Promise<FakeTrack> {
    const asked = this.asked.shift();
    if (asked === undefined) throw new Error('nothing was asked for');
    const track = new FakeTrack(asked.device);
    this.given.push(track);
    asked.answer(track);
    await settle();
    return track;
  }

  async deny(name = 'NotAllowedError'): Promise<void> {
    const asked = this.asked.shift();
    if (asked === undefined) throw new Error('nothing was asked for');
    asked.deny(name);
    await settle();
  }

  /** The devices of tracks that are still on. */
  get live(): string[] {
    return this.given.filter(({ readyState }) => readyState === 'live').map(({ device }) => device);
  }
}

/** Everything that is promised and can happen now has happened. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** The tab's own store, empty. */
export function emptyStore(): Map<string, string> {
  const kept = new Map<string, string>();
  const store = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
  Object.defineProperty(globalThis, 'sessionStorage', { value: store, configurable: true });
  return kept;
}
