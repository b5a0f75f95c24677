// What this device captures: microphone, camera, screen; on or off.

import type { TrackKind } from '../core/events';
import * as capture from '../media/capture';
import type { Choices } from '../media/capture';
import type { Source, Sources } from './source.svelte';
import { keep } from './tab';

type Kind = 'audio' | 'video';
const DEVICES = { audio: 'microphone', video: 'camera' } as const;

/** What an own device could not do; the text says what helps. */
export type Problem = `${'microphone' | 'camera'}-${capture.Denied | 'lost'}`;

export class OwnMedia {
  microphoneOn = $state(false);
  cameraOn = $state(false);
  sharing = $state(false);
  preview = $state.raw<MediaStream | undefined>(undefined);
  screen = $state.raw<MediaStream | undefined>(undefined);
  choices = $state.raw<Choices>(capture.remembered());
  private shared: capture.Screen | undefined;
  /** How often each was turned on or off; what was begun before the last time says nothing any more. */
  private readonly turns: Record<Kind, number> = { audio: 0, video: 0 };
  private held = false;
  private picking = false;
  private stopped = false;

  /** `changed` is told which kind is now sent otherwise than before. */
  constructor(
    choices: Choices,
    private readonly sources: Sources,
    private readonly changed: (kind: TrackKind) => void,
    private readonly failed: (problem: Problem) => void,
  ) {
    this.choices = choices;
    void this.begin('audio', choices.microphoneOn);
    void this.begin('video', choices.cameraOn);
  }

  /** What is sent as this kind now. */
  sent(kind: TrackKind): MediaStreamTrack | undefined {
    switch (kind) {
      case 'audio':
      case 'video':
        return this.isOn(kind) ? this.source(kind).track : undefined;
      case 'screen':
        return this.shared?.picture;
      case 'screen_audio':
        return this.shared?.sound?.readyState === 'live' ? this.shared.sound : undefined;
    }
  }

  async toggleMicrophone(): Promise<void> {
    this.held = false;
    await this.turn('audio', !this.microphoneOn);
  }

  /** Off, whatever it was. */
  async mute(): Promise<void> {
    this.held = false;
    if (this.microphoneOn) await this.turn('audio', false);
  }

  /** The microphone is on while a key is held, if it was off. */
  async pushToTalk(down: boolean): Promise<void> {
    if (down === this.held || (down && this.microphoneOn)) return;
    this.held = down;
    await this.turn('audio', down);
  }

  async toggleCamera(): Promise<void> {
    await this.turn('video', !this.cameraOn);
  }

  async toggleScreen(): Promise<void> {
    if (this.sharing) this.share(undefined);
    else if (!this.picking) await this.pick();
  }

  /** Other devices than before, from now on. */
  async choose(choices: Choices): Promise<void> {
    const before = this.choices;
    this.choices = choices;
    // What the door begins with next time is chosen there.
    const { cameraOn, microphoneOn } = capture.remembered();
    capture.remember({ ...choices, cameraOn, microphoneOn });
    const others = (['audio', 'video'] as const).filter((kind) => choices[DEVICES[kind]] !== before[DEVICES[kind]]);
    await Promise.all(others.map((kind) => (this.isOn(kind) ? this.turn(kind, true, true) : this.source(kind).close())));
  }

  end(): void {
    this.stopped = true;
    this.sources.microphone.end();
    this.sources.camera.end();
    this.share(undefined);
    this.preview = undefined;
  }

  /** A device that was open or being opened when the person joined. */
  private async begin(kind: Kind, on: boolean): Promise<void> {
    const source = this.source(kind);
    source.gone = () => void this.lost(kind);
    const turn = this.turns[kind];
    const wasAsking = source.isAsking;
    await source.settled();
    if (this.isOver(kind, turn)) return;
    this.set(kind, on && source.track !== undefined);
    if (wasAsking && source.problem !== undefined) this.failed(`${DEVICES[kind]}-${source.problem}`);
    this.tell(kind);
  }

  private async turn(kind: Kind, on: boolean, anew = false): Promise<void> {
    const source = this.source(kind);
    const turn = ++this.turns[kind];
    this.set(kind, on);
    if (!on && kind === 'video') source.close(); // The camera's light goes out.
    if (on && (anew || source.track === undefined)) {
      const opened = source.open(this.choices);
      this.tell(kind);
      await opened;
      if (this.isOver(kind, turn)) return;
      if (source.track === undefined) this.fail(kind, source.problem ?? 'missing');
    }
    this.tell(kind);
  }

  /** A device went by itself. If nothing takes its place, it is off. */
  private async lost(kind: Kind): Promise<void> {
    if (!this.isOn(kind)) return;
    const turn = ++this.turns[kind];
    this.tell(kind);
    await this.source(kind).replace(this.choices);
    if (this.isOver(kind, turn)) return;
    if (this.source(kind).track === undefined) this.fail(kind, 'lost');
    this.tell(kind);
  }

  private fail(kind: Kind, problem: capture.Denied | 'lost'): void {
    this.set(kind, false);
    this.failed(`${DEVICES[kind]}-${problem}`);
  }

  private isOver(kind: Kind, turn: number): boolean {
    return this.stopped || turn !== this.turns[kind];
  }

  private source(kind: Kind): Source {
    return this.sources[DEVICES[kind]];
  }

  private isOn(kind: Kind): boolean {
    return kind === 'audio' ? this.microphoneOn : this.cameraOn;
  }

  private set(kind: Kind, on: boolean): void {
    if (kind === 'audio') this.microphoneOn = on;
    else this.cameraOn = on;
    // A key that is held now is not held after a reload.
    keep(kind === 'audio' ? { microphoneOn: on && !this.held } : { cameraOn: on });
  }

  private tell(kind: Kind): void {
    if (kind === 'video') {
      const track = this.sent('video');
      this.preview = track === undefined ? undefined : new MediaStream([track]);
    }
    this.changed(kind);
  }

  private async pick(): Promise<void> {
    this.picking = true;
    const shared = await capture.screen();
    this.picking = false;
    if (shared === undefined) return;
    if (this.stopped) return stop(shared);
    shared.picture.onended = () => {
      if (this.shared?.picture === shared.picture) this.share(undefined);
    };
    if (shared.sound !== undefined) shared.sound.onended = () => this.changed('screen_audio');
    this.share(shared);
  }

  private share(shared: capture.Screen | undefined): void {
    if (this.shared === undefined && shared === undefined) return;
    if (this.shared !== undefined) stop(this.shared);
    this.shared = shared;
    this.screen = shared === undefined ? undefined : new MediaStream([shared.picture]);
    this.sharing = shared !== undefined;
    if (this.stopped) return;
    this.changed('screen');
    this.changed('screen_audio');
  }
}

function stop({ picture, sound }: capture.Screen): void {
  picture.stop();
  sound?.stop();
}
