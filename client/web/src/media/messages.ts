// What the page and its frame worker say to each other. No key is among it, only a handle and sealed bytes.

import type { TrackKind } from '../core/events';

/** Which end of which connection a transform stands at. */
export type Place = { role: 'send'; kind: TrackKind } | { role: 'receive'; slot: string; audio: boolean };

export type ToWorker =
  | { type: 'start'; key: CryptoKey }
  | { type: 'keys'; sealed: Uint8Array }
  | { type: 'number'; kind: TrackKind; number: number }
  /** Which layer of the camera each outgoing stream (SSRC) is. */
  | { type: 'layers'; layers: [source: number, layer: number][] }
  | { type: 'stop' };

export interface Counts {
  sealed: number;
  unsealed: number;
  opened: number;
  refused: number;
}

export type FromWorker =
  /** It listens: a transform that is made earlier can be lost, and its track with it. */
  | { type: 'ready' }
  /** The first frame of a sender came through a slot; whose it is, its key proves. */
  | { type: 'proven'; slot: string; device: string; track: number; kind: TrackKind }
  /** What comes through a slot has been of another epoch than this device's for too long, or no longer is. */
  | { type: 'step'; slot: string; out: boolean }
  /** Nothing can be sealed or opened here. */
  | { type: 'failed' }
  | { type: 'counts'; counts: Counts };
