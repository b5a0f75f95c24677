// What this device captures: microphone, camera, screen; on or off.

import { KINDS } from '../core/events';
import type { TrackKind } from '../core/events';
import * as capture from '../media/capture';

/** What an own device could not do; the text says what helps. */
export type Problem = `${'microphone' | 'camera'}-${capture.Denied}`;

export class OwnMedia {
  microphoneOn = $state(false);
  cameraOn = $state(false);
  sharing = $state(false);
  preview = $state.raw<MediaStream | undefined>(undefined);
  screen = $state.raw<MediaStream | undefined>(undefined);
  choices = $state.raw<capture.Choices>(capture.remembered());
  private readonly tracks: Partial<Record<TrackKind, MediaStreamTrack>> = {};
  private held = false;
  private stopped = false;

  /** `changed` is told which kind is now sent otherwise than before. */
  constructor(
    choices: capture.Choices,
    opening: capture.Opening,
    private readonly changed: (kind: TrackKind) => void,
    private readonly failed: (problem: Problem) => void,
  ) {
    this.choices = choices;
    void opening.microphone.then((track) => this.begin('audio', track, choices.microphoneOn));
    void opening.camera.then((track) => this.begin('video', track, choices.cameraOn));
  }

  /** What is sent as this kind now. */
  sent(kind: TrackKind): MediaStreamTrack | undefined {
    const on = { audio: this.microphoneOn, video: this.cameraOn, screen: this.sharing, screen_audio: this.sharing }[kind];
    return on ? this.tracks[kind] : undefined;
  }

  async toggleMicrophone(): Promise<void> {
    this.held = false;
    await this.setMicrophone(!this.microphoneOn);
  }

  /** Off, whatever it was. */
  async mute(): Promise<void> {
    if (this.microphoneOn) await this.setMicrophone(false);
  }

  /** The microphone is on while a key is held, if it was off. */
  async pushToTalk(down: boolean): Promise<void> {
    if (down === this.held || (down && this.microphoneOn)) return;
    this.held = down;
    await this.setMicrophone(down);
  }

  async toggleCamera(): Promise<void> {
    this.cameraOn = !this.cameraOn;
    if (this.cameraOn && this.tracks.video === undefined) await this.openCamera();
    if (!this.cameraOn) this.stop('video'); // The camera's light goes out.
    this.show('video');
  }

  async toggleScreen(): Promise<void> {
    if (this.sharing) {
      this.sharing = false;
      this.stop('screen');
      this.stop('screen_audio');
      this.screen = undefined;
    } else {
      const shared = await capture.screen();
      if (shared === undefined) return;
      shared.picture.onended = () => void (this.sharing && this.toggleScreen());
      this.tracks.screen = shared.picture;
      if (shared.sound !== undefined) this.tracks.screen_audio = shared.sound;
      this.screen = new MediaStream([shared.picture]);
      this.sharing = true;
    }
    this.changed('screen');
    this.changed('screen_audio');
  }

  /** Other devices than before, from now on. */
  async choose(choices: capture.Choices): Promise<void> {
    const before = this.choices;
    this.choices = choices;
    capture.remember(choices);
    if (choices.camera !== before.camera && this.cameraOn) {
      this.stop('video');
      await this.openCamera();
      this.show('video');
    }
    if (choices.microphone !== before.microphone && this.tracks.audio !== undefined) {
      this.stop('audio');
      if (this.microphoneOn) await this.openMicrophone();
      this.changed('audio');
    }
  }

  end(): void {
    this.stopped = true;
    for (const kind of KINDS) this.stop(kind);
    this.preview = undefined;
    this.screen = undefined;
  }

  /** A device that was being opened while the person joined. */
  private begin(kind: 'audio' | 'video', track: MediaStreamTrack | undefined, on: boolean): void {
    if (track === undefined) return;
    if (this.stopped || this.tracks[kind] !== undefined) return track.stop();
    this.tracks[kind] = track;
    if (kind === 'audio') this.microphoneOn = on;
    else this.cameraOn = on;
    this.show(kind);
  }

  private async setMicrophone(on: boolean): Promise<void> {
    this.microphoneOn = on;
    if (on && this.tracks.audio === undefined) await this.openMicrophone();
    this.changed('audio');
  }

  private async openMicrophone(): Promise<void> {
    try {
      this.keep('audio', await capture.microphone(this.choices));
    } catch (error) {
      this.microphoneOn = false;
      this.failed(`microphone-${capture.deniedBy(error)}`);
    }
  }

  private async openCamera(): Promise<void> {
    try {
      this.keep('video', await capture.camera(this.choices));
    } catch (error) {
      this.cameraOn = false;
      this.failed(`camera-${capture.deniedBy(error)}`);
    }
  }

  private keep(kind: TrackKind, track: MediaStreamTrack): void {
    if (this.stopped) track.stop();
    else this.tracks[kind] = track;
  }

  private show(kind: TrackKind): void {
    const track = this.sent('video');
    this.preview = track === undefined ? undefined : new MediaStream([track]);
    this.changed(kind);
  }

  private stop(kind: TrackKind): void {
    this.tracks[kind]?.stop();
    delete this.tracks[kind];
  }
}
