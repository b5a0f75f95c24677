// What the device tells, as core writes it (client/wasm/src/view.rs), and what it is asked (client/wasm/src/command.rs).

/** `ID@HUB`. */
export type MeetingAddress = string;
/** `conclave://DOMAIN/u/USER/d/DEVICE`. */
export type DeviceUri = string;

export const KINDS = ['audio', 'video', 'screen', 'screen_audio'] as const;
export type TrackKind = (typeof KINDS)[number];

export type Reaction = 'thumbs_up' | 'heart' | 'applause' | 'laugh' | 'surprise';

export interface Track {
  number: number;
  kind: TrackKind;
  layers: number;
}

export type Command =
  | { type: 'sign_in'; user: string; password: string; label: string }
  | { type: 'sign_in_guest'; link: string; name: string }
  | { type: 'sign_out'; device: string | null; everywhere: boolean }
  | { type: 'devices' }
  | { type: 'create'; title: string; starts_ms: number; length_s: number; lobby: boolean; link: boolean; guests: boolean }
  | { type: 'meetings' }
  | { type: 'invite'; meeting: MeetingAddress; addresses: string[] }
  | { type: 'link_for'; meeting: MeetingAddress; address: string }
  | { type: 'receive' }
  | { type: 'dismiss'; meeting: MeetingAddress }
  | { type: 'look'; meeting: string }
  | { type: 'join'; meeting: string }
  | { type: 'leave'; meeting: MeetingAddress }
  | { type: 'chat'; meeting: MeetingAddress; text: string }
  | { type: 'admit'; meeting: MeetingAddress; device: DeviceUri; admitted: boolean }
  | { type: 'remove'; meeting: MeetingAddress; address: string }
  | { type: 'lock'; meeting: MeetingAddress; locked: boolean }
  | { type: 'lobby'; meeting: MeetingAddress; on: boolean }
  | { type: 'set_co_host'; meeting: MeetingAddress; address: string; on: boolean }
  | { type: 'raise_hand'; meeting: MeetingAddress; raised: boolean }
  | { type: 'lower_hand'; meeting: MeetingAddress; device: DeviceUri }
  | { type: 'react'; meeting: MeetingAddress; reaction: Reaction }
  /** The whole line as it is now, at every change: core tells it four times a second at most. `line` counts up. */
  | { type: 'type'; meeting: MeetingAddress; line: number; text: string; done: boolean }
  | { type: 'ask_mute'; meeting: MeetingAddress; device: DeviceUri }
  | { type: 'end'; meeting: MeetingAddress }
  | { type: 'publish'; meeting: MeetingAddress; tracks: Track[] };

export interface Meeting {
  meeting: MeetingAddress;
  title: string | null;
  starts_ms: number;
  length_s: number;
  present: number;
  ended: boolean;
  link: string | null;
  /** For those that this device was invited to and has not been in. */
  invited: { by: string; dismissed: boolean } | null;
}

export interface DeviceInfo {
  device: DeviceUri;
  label: string;
  signed_in_ms: number;
  last_seen_ms: number;
  this_device: boolean;
}

/** A meeting as it looks from the door. */
export interface Looked {
  type: 'looked';
  meeting: MeetingAddress;
  /** None without the link's secret or an invitation. */
  title: string | null;
  starts_ms: number;
  length_s: number;
  creator: string;
  hub: string;
  suite: 'hybrid' | 'classical';
  hosts: string[];
  /** The hub first; then those with devices inside, as far as this person may know; no jurisdiction where nothing is known of one. */
  organisations: { domain: string; jurisdiction: string | null }[];
  /** Devices inside; none if nobody is there, or this person may not know. */
  present: number | null;
  running: boolean;
  lobby: boolean;
  locked: boolean;
  ended: boolean;
  guests_allowed: boolean;
}

export type Done =
  | { type: 'plain' }
  | { type: 'signed_in'; device: DeviceUri; address: string }
  | { type: 'signed_out'; ended: number }
  | { type: 'devices'; devices: DeviceInfo[] }
  | { type: 'created'; meeting: MeetingAddress; link: string | null }
  | { type: 'meetings'; meetings: Meeting[] }
  | { type: 'link'; link: string }
  | Looked
  | { type: 'invited'; devices: number; unreachable: string[] };

/** A sentence for a person: its id in the texts, and what stands in it (core/src/device/problem.rs). */
export interface Problem {
  id: string;
  arguments: Record<string, string>;
}

/** Why a command was refused; the reason is for programs. */
export interface CoreError extends Problem {
  reason: string;
}

export interface Invitation {
  type: 'invited';
  meeting: MeetingAddress;
  inviter: string;
  title: string;
  starts_ms: number;
  length_s: number;
  link: string;
  expires_ms: number;
}

export type Role = 'guest' | 'participant' | 'co-host' | 'host';

export interface Member {
  device: DeviceUri;
  address: string;
  organisation: string;
  name: string;
  role: Role;
  verification: 'certified' | 'expired';
  self: boolean;
}

export type OverReason = 'left' | 'removed' | 'denied' | 'ended' | 'refused';

export type CallEvent =
  | { type: 'standing'; state: 'asked' | 'waiting' }
  | { type: 'entered'; session: number; suite: 'hybrid' | 'classical' }
  | { type: 'roster'; epoch: number; code: string; members: Member[] }
  | { type: 'waiting'; device: DeviceUri; address: string }
  | { type: 'waiting_ended'; device: DeviceUri }
  | { type: 'chat'; device: DeviceUri; address: string; text: string; id: string; time_ms: number }
  | {
      type: 'policy';
      hosts: string[];
      co_hosts: string[];
      guests_allowed: boolean;
      lobby: boolean;
      locked: boolean;
      ended: boolean;
      /** The link that lets people in, if this device knows it. */
      link: string | null;
    }
  | { type: 'tracks'; device: DeviceUri; tracks: { number: number; kind: TrackKind }[] }
  /** `order`: the lowest went up first; 0 when the hand is down. */
  | { type: 'hand'; device: DeviceUri; raised: boolean; order: number }
  | { type: 'reaction'; device: DeviceUri; reaction: Reaction }
  /** Somebody's line as it is now; own lines come only when they are done. */
  | { type: 'typing'; device: DeviceUri; address: string; line: number; text: string; done: boolean; time_ms: number }
  /** Mute this device's microphone at once; `device` asked for it. */
  | { type: 'away'; device: DeviceUri; away: boolean }
  | { type: 'muted_by'; device: DeviceUri; address: string }
  | { type: 'keys'; epoch: number }
  | { type: 'refused_attempt'; domain: string; times: number }
  | { type: 'voided'; address: string }
  | { type: 'connection'; connected: boolean }
  | { type: 'alarm'; problem: Problem }
  /** `problem`: why, if it was refused. */
  | { type: 'over'; reason: OverReason; problem: Problem | null };

export type CoreEvent =
  | { type: 'done'; request: number; done: Done | null; error: CoreError | null }
  | Invitation
  /** The home server knows this device's session no longer. */
  | { type: 'signed_out' }
  | { type: 'bounced'; recipient: string; reason: string }
  | { type: 'call'; meeting: MeetingAddress; event: CallEvent };

/** What core asks the page to do (client/wasm/src/effect.rs). */
export type Effect =
  | { kind: 'call'; call: number; path: string; body: Uint8Array }
  | { kind: 'open'; stream: number; path: string; body: Uint8Array }
  | { kind: 'close'; stream: number }
  | { kind: 'token'; token: string | undefined }
  | { kind: 'store'; place: string; sealed?: Uint8Array }
  | { kind: 'event'; event: string; sealed?: Uint8Array };
