// What stays in this browser: sealed bytes by their place, and the handle of the key that seals them, which cannot be extracted.

const SEALED = 'sealed';
const KEYS = 'keys';
const STORE_KEY = 'store';

/** The browser refuses to store: private mode, or a full disk. */
export class StoreError extends Error {}

export class Store {
  private constructor(private readonly database: IDBDatabase) {}

  static async open(name: string): Promise<Store> {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(SEALED);
      request.result.createObjectStore(KEYS);
    };
    return new Store(await settled(request));
  }

  /** Everything, with the key's handle if there is one. */
  async load(): Promise<{ key: CryptoKey | undefined; sealed: [string, Uint8Array][] }> {
    const transaction = this.database.transaction([SEALED, KEYS]);
    const sealed = transaction.objectStore(SEALED);
    const [key, places, values] = await Promise.all([
      settled<CryptoKey | undefined>(transaction.objectStore(KEYS).get(STORE_KEY)),
      settled(sealed.getAllKeys()),
      settled<Uint8Array[]>(sealed.getAll()),
    ]);
    const pairs = places.map((place, at): [string, Uint8Array] => [String(place), values[at] ?? new Uint8Array()]);
    return { key, sealed: pairs };
  }

  /** Keeps the key's handle. */
  async keep(key: CryptoKey): Promise<void> {
    await this.write(KEYS, (store) => store.put(key, STORE_KEY));
  }

  /** Stores durably, or deletes. */
  async put(place: string, sealed: Uint8Array | undefined): Promise<void> {
    await this.write(SEALED, (store) => (sealed === undefined ? store.delete(place) : store.put(sealed, place)));
  }

  private write(name: string, act: (store: IDBObjectStore) => IDBRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction(name, 'readwrite', { durability: 'strict' });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(new StoreError(transaction.error?.message ?? 'nothing can be stored'));
      act(transaction.objectStore(name));
    });
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(new StoreError(request.error?.message ?? 'nothing can be read'));
  });
}
