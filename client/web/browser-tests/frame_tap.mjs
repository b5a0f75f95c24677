// Stands at both ends of a frame worker's transforms: what comes to them and what goes on is noted, and forged frames are put between the
// others. The worker's own code runs as it is.

/** Notes what the page tells its frame worker, so that other ones can be told the same. Runs in the page before its scripts. */
export function listen() {
  globalThis.told = {};
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message, ...rest) {
    globalThis.told[message?.type] = message;
    post.call(this, message, ...rest);
  };
}

/** Puts `tap` before the code of every frame worker. */
export async function tapped(context) {
  await context.route('**/frame_worker-*.js', async (route) => {
    // The name is the browser's alone.
    const answer = await fetch(route.request().url().replace(/\/\/\w+\.localhost:/u, '//127.0.0.1:'));
    const headers = Object.fromEntries([...answer.headers].filter(([name]) => !/^content-(encoding|length)$/u.test(name)));
    await route.fulfill({ status: answer.status, headers, body: `(${tap})();\n${await answer.text()}` });
  });
}

/** Runs in the worker before its own code. */
function tap() {
  /** Of each transform, by name: how many frames came; those that went on, as [what came, what went]; which forged ones went on. */
  self.notes = {};
  /** What is put before and after a frame that comes, and whether it is kept back itself. */
  self.forge = () => ({});
  let product;
  Object.defineProperty(self, 'onrtctransform', { set: (handler) => (product = handler) });
  const hex = (data) => [...new Uint8Array(data)].map((byte) => byte.toString(16).padStart(2, '0')).join('');

  self.addEventListener('rtctransform', ({ transformer }) => {
    const { options } = transformer;
    const note = (self.notes[options.name ?? `${options.role} ${options.kind ?? options.slot}`] ??= { came: 0, went: [], forged: 0, accepted: [] });
    const originals = new WeakMap();
    const put = (controller, all = []) => {
      note.forged += all.length;
      for (const { name, data, metadata = {} } of all) controller.enqueue({ name, data: new Uint8Array(data).buffer, getMetadata: () => metadata });
    };
    const before = new TransformStream({
      transform(frame, controller) {
        const { before, after, isKept = false } = self.forge(new Uint8Array(frame.data), options);
        put(controller, before);
        // What is empty is padding.
        if (frame.data.byteLength > 0) note.came += 1;
        originals.set(frame, hex(frame.data));
        if (!isKept) controller.enqueue(frame);
        put(controller, after);
      },
    });
    const after = new TransformStream({
      transform(frame, controller) {
        if (frame.name !== undefined) return void note.accepted.push(frame.name);
        note.went.push([originals.get(frame), hex(frame.data)]);
        controller.enqueue(frame);
      },
    });
    void after.readable.pipeTo(transformer.writable).catch(() => undefined);
    const sendKeyFrameRequest = () => transformer.sendKeyFrameRequest();
    product({ transformer: { options, readable: transformer.readable.pipeThrough(before), writable: after.writable, sendKeyFrameRequest } });
  });
}
