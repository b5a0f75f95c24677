import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// One page, one frame worker; nothing inline, so that the content security policy can forbid it.
export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: process.env['CONCLAVE_WEB_OUT'] ?? 'dist',
    emptyOutDir: false,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  worker: { format: 'es' },
});
