// What is on the stage: which tiles, which of them large, which page of them; and from that, what is wished of the server.

import type { Member } from '../core/events';
import type { Wish } from '../core/media_service';
import type { Call } from './call.svelte';
import { grid, speaker } from './layout';
import type { Arrangement, Size } from './layout';
import { keep } from './tab';

export interface Tile {
  key: string;
  member: Member;
  screen: boolean;
  own: boolean;
}

export class Stage {
  view = $state<'grid' | 'speaker'>('grid');
  pinned = $state<string | undefined>(undefined);
  selfShown = $state(true);
  /** For narrow paths and tired eyes: nobody's pictures come, and none of one's own go. */
  soundOnly = $state(false);
  size = $state.raw<Size>({ width: 800, height: 600 });
  private wantedPage = $state(0);

  constructor(private readonly call: Call) {}

  readonly tiles = $derived.by((): Tile[] => {
    const { members, own } = this.call;
    const others = members.filter((member) => !member.self);
    const self = this.call.self;
    const screens = others.filter((member) => this.call.publishes(member.device, 'screen'));
    const tiles = screens.map((member) => tile(member, true));
    if (own.sharing && self !== undefined) tiles.push(tile(self, true));
    tiles.push(...others.map((member) => tile(member, false)));
    if (self !== undefined && (this.selfShown || others.length === 0)) tiles.push(tile(self, false));
    return tiles;
  });

  /** The tile that is large: the pinned one, or a screen that somebody else shares, or in the speaker view who spoke last. */
  readonly large = $derived.by((): string | undefined => {
    const has = (key: string | undefined) => this.tiles.some((one) => one.key === key);
    if (has(this.pinned)) return this.pinned;
    const screen = this.tiles.find((one) => one.screen && !one.own);
    if (screen !== undefined) return screen.key;
    if (this.view === 'grid' || this.tiles.length < 2) return undefined;
    const last = `camera ${this.call.media.lastSpeaker ?? ''}`;
    return has(last) ? last : this.tiles[0]?.key;
  });

  readonly arrangement = $derived.by((): Arrangement => {
    const keys = this.tiles.map((one) => one.key);
    return this.large === undefined ? grid(keys, this.size, this.wantedPage) : speaker(keys, this.large, this.size, this.wantedPage);
  });

  /** Pictures that are on the stage, with the height at which they are shown; large ones first. */
  readonly wishes = $derived.by((): Wish[] => {
    if (this.soundOnly) return [];
    const { large, small, largeHeight, smallHeight } = this.arrangement;
    const shown = [...(large === undefined ? [] : [large]), ...small];
    const dots = globalThis.devicePixelRatio || 1;
    return shown.flatMap((key) => {
      const found = this.tile(key);
      if (found === undefined || found.own) return [];
      const kind = found.screen ? 'screen' : 'video';
      const track = this.call.publishing.get(found.member.device)?.find((one) => one.kind === kind);
      const height = Math.round((key === large ? largeHeight : smallHeight) * dots);
      return track === undefined ? [] : [{ device: found.member.device, track: track.number, height }];
    });
  });

  tile(key: string): Tile | undefined {
    return this.tiles.find((one) => one.key === key);
  }

  togglePin(key: string): void {
    this.pinned = this.pinned === key ? undefined : key;
  }

  toggleView(): void {
    this.view = this.view === 'grid' ? 'speaker' : 'grid';
    this.wantedPage = 0;
  }

  async toggleSoundOnly(): Promise<void> {
    this.soundOnly = !this.soundOnly;
    keep({ soundOnly: this.soundOnly });
    if (this.soundOnly && this.call.own.cameraOn) await this.call.own.toggleCamera();
  }

  turn(pages: number): void {
    this.wantedPage = this.arrangement.page + pages;
  }
}

function tile(member: Member, screen: boolean): Tile {
  return { key: `${screen ? 'screen' : 'camera'} ${member.device}`, member, screen, own: member.self };
}
