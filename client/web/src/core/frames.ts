// Sealing and opening of frames, for the frame worker: it has a core of its own.

export { Frames, load } from './wasm';
export type { OpenedFrame } from './wasm';
