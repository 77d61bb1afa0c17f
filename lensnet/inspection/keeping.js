// Where grades are kept: in localStorage, which is there at once and forgets the last seconds when
// the browser is killed, and in IndexedDB, which is on disk with every grade. Either alone will do.

const DATABASE = "lensnet-grades", STORE = "grades", OPENING_MILLISECONDS = 3000;

const answered = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = request.onblocked = () => reject(request.error ?? new Error("blocked"));
});

class Keeping {
  // Entries are objects with `at`, the time of their writing; of two of one number the later counts.
  constructor(page) {
    this.prefix = `lensnet:${page}:`;
    this.page = page;
    this.database = null;
    this.hasLocal = false;
    this.reason = "";
    this.written = Promise.resolve();
  }

  get isKept() { return this.hasLocal || this.database !== null; }

  // Opens both, and returns the entries by number.
  async open() {
    const entries = new Map();
    const take = (n, entry) => {
      if (entry && !((entries.get(n)?.at ?? 0) > (entry.at ?? 0))) entries.set(n, entry);
    };
    try {
      localStorage.setItem(this.prefix, "");
      localStorage.removeItem(this.prefix);
      this.hasLocal = true;
      for (const key of Object.keys(localStorage)) take(...this.parse(key, localStorage.getItem(key)));
    } catch (error) { this.reason = error.message; }
    try {
      const late = new Promise((_, reject) => setTimeout(reject, OPENING_MILLISECONDS, new Error("no answer")));
      for (const { n, entry } of await Promise.race([this.#openDatabase(), late])) take(n, entry);
    } catch (error) { this.reason ||= String(error?.message ?? error); }
    return entries;
  }

  async #openDatabase() {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: ["page", "n"] });
    const database = await answered(opening);
    const range = IDBKeyRange.bound([this.page, 0], [this.page, Infinity]);
    const found = await answered(database.transaction(STORE).objectStore(STORE).getAll(range));
    this.database = database;
    return found;
  }

  // The number and the entry that are stored under a key; [] if it is not one of this page's.
  parse(key, text) {
    if (!key?.startsWith(this.prefix)) return [];
    try { return [Number(key.slice(this.prefix.length)), JSON.parse(text)]; } catch { return []; }
  }

  // Keeps an entry. False where it is kept nowhere.
  write(n, entry) {
    try {
      if (this.hasLocal) localStorage.setItem(this.prefix + n, JSON.stringify(entry));
    } catch (error) { this.hasLocal = false; this.reason = error.message; }
    try {
      const transaction = this.database?.transaction(STORE, "readwrite", { durability: "strict" });
      const request = transaction?.objectStore(STORE).put({ page: this.page, n, entry });
      if (request) this.written = new Promise((done) => { transaction.oncomplete = transaction.onabort = done; });
    } catch (error) { this.database = null; this.reason = error.message; }
    return this.isKept;
  }

  get grader() {
    try { return localStorage.getItem("lensnet:grader") ?? ""; } catch { return ""; }
  }

  set grader(name) {
    try { localStorage.setItem("lensnet:grader", name); } catch { /* asked for again next time */ }
  }
}
