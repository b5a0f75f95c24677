// The view models' tests as modules that node runs: compiled as for browsers, so that runes behave as they do there.

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { readdirSync } from 'node:fs';
import { defineConfig } from 'vite';

const tests = readdirSync('test').filter((name) => name.endsWith('.test.ts'));

export default defineConfig({
  plugins: [svelte()],
  publicDir: false,
  build: {
    outDir: 'node_modules/.unit',
    emptyOutDir: true,
    target: 'node20',
    minify: false,
    sourcemap: 'inline',
    reportCompressedSize: false,
    lib: { entry: tests.map((name) => `test/${name}`), formats: ['es'] },
    rolldownOptions: { external: /^node:/ },
  },
});
