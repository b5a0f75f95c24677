// Two organisations, a browser, and the people who came: set up once for each file, looked over after each test.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before } from 'node:test';

import { Organisation } from './organisation.mjs';
import { Person, launch } from './person.mjs';

const SERVER = process.env.CONCLAVE_SERVER;
export const PASSWORD = 'correct horse battery';

export class Stage {
  /**
   * Set up before the file's tests and taken down after them. `users`: names by organisation; `flags`: further ones for the
   * browser, or what makes them of the stage; `without`: usual ones that it does not get; `secure`: pages come over HTTPS.
   */
  static for(users, { flags = [], without = [], secure = false } = {}) {
    const stage = new Stage();
    before(async () => stage.#begin(users, { flags, without, secure }), { timeout: 120_000 });
    afterEach(async (context) => stage.#look(context));
    after(async () => stage.end(), { timeout: 60_000 });
    return stage;
  }

  /** The same without tests around it; who begins it ends it. */
  static async begun(users) {
    const stage = new Stage();
    await stage.#begin(users, {});
    return stage;
  }

  constructor() {
    /** Everybody who came, gone or not. */
    this.people = [];
  }

  async #begin(users, { flags = [], without = [], secure = false }) {
    const above = process.env.CONCLAVE_STATE ?? tmpdir();
    mkdirSync(above, { recursive: true });
    this.folder = mkdtempSync(join(above, 'browser-'));
    const names = Object.keys(users);
    const folders = names.map((name) => join(this.folder, name));
    for (const [at, name] of names.entries()) {
      const organisation = await Organisation.init(SERVER, name, folders[at], folders, process.env.CONCLAVE_WEB);
      this[name] = organisation;
      for (const user of users[name]) organisation.addUser(user, PASSWORD);
    }
    this.organisations = names.map((name) => this[name]);
    if (secure) for (const one of this.organisations) one.origin = `https://${one.domain}`;
    await Promise.all(this.organisations.map((one) => one.start()));
    this.browser = await launch(typeof flags === 'function' ? flags(this) : flags, without);
  }

  /** Somebody with a browser profile of their own. */
  async person(organisation, user, options = {}) {
    const person = await Person.open(this.browser, organisation, user, PASSWORD, options);
    this.people.push(person);
    return person;
  }

  /** Somebody who is signed in. */
  async signedIn(organisation, user, options = {}) {
    const person = await this.person(organisation, user, options);
    await person.signIn();
    await person.atStart();
    return person;
  }

  /** The first makes a meeting, and all of them are in it; gives the link's path. */
  async meeting(title, [host, ...others], options = {}) {
    const link = await host.meetNow(title, options);
    await host.join();
    await host.inRoom();
    for (const other of others) await other.enter(link);
    await Promise.all(others.map((other) => other.inRoom()));
    return link;
  }

  /** Somebody goes, and is looked over for the last time. */
  async dismiss(person) {
    assert.deepEqual(await person.misdeeds(), [], person.user);
    this.people = this.people.filter((one) => one !== person);
    await person.close();
  }

  /** After every test: nobody asked anybody else, broke the policy or failed. */
  async #look(context) {
    const found = [];
    for (const person of this.people) {
      if (context.error !== undefined && context.error !== null) await person.picture(join(this.folder, `${context.name.replace(/\W+/gu, '-')} ${person.user}.png`));
      for (const misdeed of await person.misdeeds()) found.push(`${person.user}: ${misdeed}`);
      person.forget();
    }
    assert.deepEqual(found, []);
  }

  async end() {
    await this.browser?.close();
    await Promise.all((this.organisations ?? []).map((one) => one.stop()));
  }
}
