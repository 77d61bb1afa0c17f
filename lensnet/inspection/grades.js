// Grades: kept in the browser as they are given, undone, saved as CSV and loaded from it.

const GRADES = ["A", "B", "C", "X"];
const COLUMNS = ["id", "grade", "grader", "comment", "time", "page", "score"];
// As of lensnet.csv_tables: what a spreadsheet would run as a formula.
const FORMULA = /^(?:'*(\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\x00-\x1f\x7f]))/;

const EMPTY = { grade: "", comment: "", time: "" };

class GradeBook {
  // Where grades are kept, and what to call with the reason when they no longer are.
  constructor(keeping, warn) {
    this.keeping = keeping;
    this.entries = new Map();
    this.undone = [];
    this.warn = warn;
  }

  async open() {
    for (const [n, entry] of await this.keeping.open()) this.take(n, entry);
    if (!this.keeping.isKept) this.warn(this.keeping.reason);
  }

  // Takes an entry that is kept already. An empty one says that a grade was taken back.
  take(n, entry) {
    if (entry.grade || entry.comment) this.entries.set(n, entry);
    else this.entries.delete(n);
  }

  of(n) { return this.entries.get(n) ?? EMPTY; }

  // Sets a grade or a comment.
  set(n, change) {
    const before = this.of(n);
    const entry = { ...before, ...change, time: new Date().toISOString() };
    if (entry.grade === before.grade && entry.comment === before.comment) return;
    // A comment is kept with every letter, and undone as a whole.
    const kind = "comment" in change ? "comment" : "grade";
    const last = this.undone.at(-1);
    if (kind === "grade" || last?.[0] !== n || last[2] !== kind) this.undone.push([n, before, kind]);
    this.#write(n, entry);
  }

  // Takes the last change back, and returns the candidate that it was about.
  undo() {
    const last = this.undone.pop();
    if (!last) return null;
    const [n, before] = last;
    this.#write(n, before);
    return n;
  }

  #write(n, entry) {
    this.take(n, entry);
    if (!this.keeping.write(n, { ...entry, at: Date.now() })) this.warn(this.keeping.reason);
  }

  csv(candidates, grader, page) {
    const rows = candidates.filter(({ n }) => this.entries.has(n)).map(({ n, id, score }) => {
      const { grade, comment, time } = this.of(n);
      return [id, grade, grader, comment, time, page, score];
    });
    return [COLUMNS, ...rows].map((row) => row.map(csvCell).join(",") + "\n").join("");
  }

  // Takes grades from a file over those that are there; returns how many, and how many ids are not
  // on this page.
  load(text, candidates) {
    const [header, ...rows] = parseCsv(text);
    const column = (name) => header?.indexOf(name) ?? -1;
    if (column("id") < 0 || column("grade") < 0) return null;
    const byId = new Map(candidates.map(({ id, n }) => [id, n]));
    const cell = (row, name) => (column(name) < 0 ? "" : row[column(name)] ?? "");
    let taken = 0, others = 0;
    for (const row of rows) {
      const n = byId.get(cell(row, "id")), grade = cell(row, "grade");
      if (n === undefined || (grade && !GRADES.includes(grade))) { others++; continue; }
      const entry = { grade, comment: cell(row, "comment"), time: cell(row, "time") };
      this.undone.push([n, this.of(n), "load"]);
      this.#write(n, entry);
      taken++;
    }
    return { taken, others };
  }
}

function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function parseCsv(text) {
  const rows = [];
  let row = [], cell = "", quoted = false;
  const end = () => { row.push(restore(cell)); cell = ""; };
  text = text.replace(/^\ufeff/, "");
  for (let i = 0; i < text.length; i++) {
    const letter = text[i];
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[i + 1] === '"') { cell += '"'; i++; } else quoted = false;
    } else if (letter === '"') quoted = true;
    else if (letter === ",") end();
    else if (letter === "\n") { end(); rows.push(row); row = []; }
    else if (letter !== "\r") cell += letter;
  }
  if (cell || row.length) { end(); rows.push(row); }
  return rows;
}

function restore(cell) {
  return cell.startsWith("'") && FORMULA.test(cell.slice(1)) ? cell.slice(1) : cell;
}
