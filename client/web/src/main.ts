import { mount } from 'svelte';
import { App } from './call/app.svelte';
import { choose } from './text';
import Page from './ui/Page.svelte';
import './ui/style.css';

const app = new App();
const target = document.getElementById('app');
if (target !== null) {
  void choose(navigator.languages).then((language) => (document.documentElement.lang = language)).finally(() => {
    mount(Page, { target, props: { app } });
    // One tab for each device: two would both be this device, and undo each other.
    void navigator.locks.request('conclave device', { ifAvailable: true }, async (lock) => {
      if (lock === null) {
        app.place = { at: 'other-tab' };
        await navigator.locks.request('conclave device', () => hold());
        return;
      }
      await hold();
    });
  });
}

function hold(): Promise<never> {
  void app.start();
  return new Promise(() => undefined);
}
