// The one importer of wasm.

import init, {
  Client,
  Failure,
  Frames,
  domain_of,
  first_track_number,
  media_answer,
  media_close_request,
  media_connection,
  media_open_request,
  media_signal,
  media_signals_request,
  media_update_request,
  meeting_address,
} from '../../wasm/conclave_wasm.js';
import type { Problem } from './events';
import address from '../../wasm/conclave_wasm_bg.wasm?url';

export { Client, Failure, Frames };
export type { OpenedFrame } from '../../wasm/conclave_wasm.js';

let loading: Promise<unknown> | undefined;

/** Loads core; once for each thread. */
export async function load(): Promise<void> {
  loading ??= init({ module_or_path: address });
  await loading;
}

/** The problem that core threw. */
export function problemIn(thrown: unknown): Problem {
  // Core throws problems as JSON, and errors where the page itself is wrong.
  return typeof thrown === 'string' ? (JSON.parse(thrown) as Problem) : { id: 'bug', arguments: {} };
}

/** The domain of the server whose signed descriptor this is. */
export const domainOf = domain_of;
/** `ID@HUB` of a link or address; throws what is wrong with it. */
export const meetingAddress = meeting_address;
/** The first of sixteen numbers for the tracks of a call that begins now. */
export const firstTrackNumber = first_track_number;

export const mediaService = {
  openRequest: media_open_request,
  answer: media_answer,
  connection: media_connection,
  signalsRequest: media_signals_request,
  signal: media_signal,
  updateRequest: media_update_request,
  closeRequest: media_close_request,
};
