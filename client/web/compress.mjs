// Puts the brotli form beside each built file that is worth it. The best quality takes seconds for a megabyte, so what was
// compressed once is kept by its hash.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const folder = process.env.CONCLAVE_WEB_OUT ?? 'dist';
const KEPT = 'node_modules/.brotli';
const KEPT_FOR_MS = 7 * 86_400_000;
const WORTH = /\.(html|js|css|wasm|svg|json)$/;
/** Larger is only core as `--quick` builds it, which nobody is served. */
const LARGE = 6_000_000;

mkdirSync(KEPT, { recursive: true });
for (const name of readdirSync(KEPT)) if (Date.now() - statSync(join(KEPT, name)).mtimeMs > KEPT_FOR_MS) rmSync(join(KEPT, name));
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !WORTH.test(entry.name)) continue;
  const file = join(entry.parentPath ?? entry.path, entry.name);
  writeFileSync(`${file}.br`, compressed(readFileSync(file)));
}

function compressed(plain) {
  const kept = join(KEPT, createHash('sha256').update(plain).digest('hex'));
  if (existsSync(kept)) return readFileSync(kept);
  const quality = plain.length > LARGE ? 5 : constants.BROTLI_MAX_QUALITY;
  const done = brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } });
  writeFileSync(kept, done);
  return done;
}
