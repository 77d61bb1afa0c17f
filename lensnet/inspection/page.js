// The page: cards of candidates, the one at hand, and what keys and buttons do.

const page = JSON.parse(document.getElementById("candidates").textContent);
const candidates = page.candidates;
const $ = (name) => document.getElementById(name);
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const keeping = new Keeping(page.id);
const book = new GradeBook(keeping, (reason) => {
  $("unkept").hidden = false;
  $("unkept-reason").textContent = reason;
});
const settings = { stretch: "asinh", view: page.colour ? "colour" : 0, rgb: page.colour, brightness: 0, contrast: 0 };
const cards = new Map();
const visible = new Set();
let shown = candidates, current = candidates[0] ?? null;

// ---- images

async function draw(canvas, candidate, view = settings.view) {
  const stamp = JSON.stringify([candidate.n, view, settings]);
  if (canvas.dataset.drawn === stamp || !candidate.image) return;
  canvas.dataset.drawn = stamp;
  const { width, height } = candidate.image;
  const planes = await planesOf(candidate);
  if (canvas.dataset.drawn !== stamp) return;
  const rgb = settings.rgb ?? [];
  const isColour = view === "colour" && rgb.every((band) => band < planes.length);
  const bytes = isColour
    ? colourPicture(rgb.map((band) => planes[band]), rgb.map((band) => page.brightness[band]), settings)
    : greyPicture(planes[view === "colour" ? 0 : Math.min(view, planes.length - 1)], settings);
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(new ImageData(bytes, width, height), 0, 0);
}

const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const candidate = candidates[target.dataset.n];
    if (isIntersecting) { visible.add(candidate); drawCard(candidate); } else visible.delete(candidate);
  }
}, { rootMargin: "300px" });

function drawCard(candidate) {
  const canvas = cards.get(candidate.n).querySelector("canvas");
  if (canvas) draw(canvas, candidate);
}

function redraw() {
  visible.forEach(drawCard);
  showImage();
  $("brightness").textContent = signed(settings.brightness);
  $("contrast").textContent = signed(settings.contrast);
  $("stretch").value = settings.stretch;
  $("view").value = settings.view;
  $("mixer").hidden = settings.view !== "colour";
}

const signed = (number) => (number > 0 ? `+${number}` : String(number).replace("-", "\u2212"));

// ---- cards

function pictureOf(candidate, className) {
  if (candidate.image) {
    const { width, height } = candidate.image;
    return make("canvas", { className, width, height });
  }
  const reason = make("span", { textContent: candidate.reason });
  return make("div", { className: `${className} missing`, title: candidate.reason }, reason);
}

function makeCard(candidate) {
  const card = make(
    "button", { type: "button", className: "candidate" },
    pictureOf(candidate, "picture"),
    make("span", { className: "line" },
      make("b", { textContent: candidate.place }),
      make("span", { className: "score", textContent: candidate.score_text }),
      make("span", { className: "grade" })),
    make("span", { className: "name", textContent: candidate.name, title: candidate.name }),
  );
  card.dataset.n = candidate.n;
  card.addEventListener("click", () => select(candidate, false));
  cards.set(candidate.n, card);
  observer.observe(card);
  return card;
}

function showGrade(candidate) {
  const { grade, comment } = book.of(candidate.n);
  const card = cards.get(candidate.n);
  card.dataset.grade = grade;
  card.querySelector(".grade").textContent = grade + (comment ? "\u2026" : "");
  card.setAttribute("aria-label", `${candidate.place}, ${candidate.name}, ${grade || "not graded"}`);
  if (candidate === current) showCurrentGrade();
}

function showProgress() {
  const counts = Object.fromEntries(GRADES.map((grade) => [grade, 0]));
  for (const { grade } of book.entries.values()) if (grade) counts[grade]++;
  const done = Object.values(counts).reduce((a, b) => a + b);
  $("progress").textContent = `${done} of ${candidates.length} graded`;
  $("counts").textContent = GRADES.map((grade) => `${grade} ${counts[grade]}`).join("  ");
  $("bar").max = candidates.length;
  $("bar").value = done;
}

// ---- the candidate at hand

function select(candidate, scroll = true) {
  cards.get(current?.n)?.removeAttribute("aria-current");
  current = candidate;
  $("detail").hidden = !candidate;
  if (!candidate) return;
  const card = cards.get(candidate.n);
  card.setAttribute("aria-current", "true");
  if (scroll) card.scrollIntoView({ block: "nearest" });
  $("name").textContent = candidate.name;
  $("place").textContent = `${candidate.place} of ${page.total}`;
  $("facts").replaceChildren(...factsOf(candidate));
  $("links").replaceChildren(...candidate.links.map(([name, href]) =>
    make("a", { href, textContent: name, target: "_blank", rel: "noopener noreferrer" })));
  $("comment").value = book.of(candidate.n).comment;
  const count = candidate.image?.bands.length ?? 0;
  $("picture").replaceChildren(pictureOf(candidate, "large"));
  $("strip").replaceChildren(...(count > 1 ? candidate.image.bands.map((_, band) => stripOf(candidate, band)) : []));
  showImage();
  showCurrentGrade();
}

function stripOf(candidate, band) {
  const button = make("button", { type: "button", title: `Show ${page.bands[band] ?? band}` },
    pictureOf(candidate, "band"), make("span", { textContent: page.bands[band] ?? String(band) }));
  button.addEventListener("click", () => setView(settings.view === band ? "colour" : band));
  return button;
}

function showImage() {
  if (!current?.image) return;
  draw($("picture").querySelector("canvas"), current);
  [...$("strip").querySelectorAll("canvas")].forEach((canvas, band) => draw(canvas, current, band));
  [...$("strip").children].forEach((button, band) => button.setAttribute("aria-pressed", settings.view === band));
}

function factsOf(candidate) {
  const facts = [[page.score, candidate.score_text, "score"], ...candidate.facts];
  return facts.flatMap(([name, value, className = ""]) =>
    [make("dt", { textContent: name }), make("dd", { textContent: value, className })]);
}

function showCurrentGrade() {
  const { grade } = book.of(current.n);
  for (const button of document.querySelectorAll("#buttons [data-grade]"))
    button.setAttribute("aria-pressed", button.dataset.grade === grade);
}

function move(step) {
  const place = shown.indexOf(current);
  const next = shown[place < 0 ? 0 : clip(place + step, 0, shown.length - 1)];
  if (next && next !== current) select(next);
}

// ---- grading

function grade(letter) {
  if (!current) return;
  const graded = current;
  book.set(graded.n, { grade: book.of(graded.n).grade === letter ? "" : letter });
  changed(graded);
  if (book.of(graded.n).grade) move(1);
}

function undo() {
  const n = book.undo();
  if (n === null) return say("Nothing to undo.");
  changed(candidates[n]);
  select(candidates[n]);
}

function changed(candidate) {
  showGrade(candidate);
  showProgress();
}

function save() {
  const grader = $("grader").value.trim();
  const text = book.csv(candidates, grader, page.id);
  const name = ["grades", page.name, grader].filter(Boolean).join("-").replace(/[^\p{L}\p{N}_.-]+/gu, "_");
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: `${name}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  say(`Saved as ${name}.csv.${grader ? "" : " Say who you are, and the file says so too."}`);
}

async function load(file) {
  const found = book.load(await file.text(), candidates);
  if (!found) return say(`${file.name} is not a file of grades: it has no columns id and grade.`);
  candidates.forEach(showGrade);
  showProgress();
  select(current, false);
  say(`${found.taken} grades loaded.${found.others ? ` ${found.others} are of other pages.` : ""}`);
}

let saying = 0;
function say(text) {
  $("said").textContent = text;
  clearTimeout(saying);
  saying = setTimeout(() => { $("said").textContent = ""; }, 6000);
}

// ---- which are shown, and in which order

function applyFilter() {
  const wanted = $("filter").value, text = $("search").value.trim().toLowerCase();
  shown = candidates.filter((candidate) => {
    const { grade, comment } = book.of(candidate.n);
    const fits = { all: true, none: !grade, comment: comment !== "" }[wanted] ?? grade === wanted;
    return fits && (!text || [candidate.name, comment, ...candidate.facts.flat()].join("\n").toLowerCase().includes(text));
  });
  if ($("order").value === "random") shown.sort((a, b) => a.shuffled - b.shuffled);
  $("cards").replaceChildren(...shown.map(({ n }) => cards.get(n)));
  $("none").hidden = shown.length > 0;
  if (!shown.includes(current)) select(shown[0] ?? null, false);
}

function setView(view) {
  settings.view = view === "colour" && !page.colour ? 0 : view;
  redraw();
}

function change(name, step) {
  settings[name] = clip(settings[name] + step, -8, 8);
  redraw();
}

const views = [...(page.colour ? ["colour"] : []), ...page.bands.keys()];
const nextOf = (list, value) => list[(list.indexOf(value) + 1) % list.length];

const KEYS = {
  a: () => grade("A"), b: () => grade("B"), c: () => grade("C"), x: () => grade("X"),
  arrowright: () => move(1), arrowleft: () => move(-1), j: () => move(1), k: () => move(-1),
  arrowdown: () => move(cardsInRow()), arrowup: () => move(-cardsInRow()),
  u: undo, m: () => $("comment").focus(), "/": () => $("search").focus(),
  s: () => { settings.stretch = nextOf(Object.keys(STRETCHES), settings.stretch); redraw(); },
  v: () => setView(nextOf(views, settings.view)),
  "]": () => change("brightness", 1), "[": () => change("brightness", -1),
  "+": () => change("contrast", 1), "=": () => change("contrast", 1), "-": () => change("contrast", -1),
  0: () => { Object.assign(settings, { brightness: 0, contrast: 0 }); redraw(); },
  h: () => { $("blind").click(); }, "?": () => { $("help").open = !$("help").open; },
};

function cardsInRow() {
  const [first, ...others] = $("cards").children;
  const below = others.findIndex((card) => card.offsetTop > (first?.offsetTop ?? 0));
  return below < 0 ? 1 : below + 1;
}

function onKey(event) {
  if (event.target.matches("input:not([type=checkbox]), textarea, select")) {
    if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)) event.target.blur();
    return;
  }
  const isUndo = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey);
  const action = isUndo ? undo : KEYS[event.key.toLowerCase()];
  if (!action || (!isUndo && (event.ctrlKey || event.metaKey || event.altKey))) return;
  event.preventDefault();
  action();
}

// ---- beginning

async function begin() {
  candidates.forEach((candidate, n) => {
    Object.assign(candidate, { n, shuffled: ((n + 1) * 0.6180339887498949) % 1 });
    makeCard(candidate);
  });
  await book.open();
  candidates.forEach(showGrade);
  document.addEventListener("keydown", onKey);
  const option = (value, text) => make("option", { value, textContent: text });
  if (page.colour) $("view").append(option("colour", "colour"));
  $("view").append(...page.bands.map((name, band) => option(band, name)));
  for (const [place, name] of ["red", "green", "blue"].entries()) {
    if (!page.colour) break;
    const choice = make("select", { ariaLabel: name, className: name }, ...page.bands.map((text, band) => option(band, text)));
    choice.value = page.colour[place];
    choice.addEventListener("change", () => {
      settings.rgb = settings.rgb.with(place, Number(choice.value));
      redraw();
    });
    $("mixer").append(choice);
  }
  const on = (name, event, action) => $(name).addEventListener(event, action);
  on("stretch", "change", () => { settings.stretch = $("stretch").value; redraw(); });
  on("view", "change", () => setView($("view").value === "colour" ? "colour" : Number($("view").value)));
  on("filter", "change", applyFilter);
  on("order", "change", applyFilter);
  on("search", "input", applyFilter);
  on("size", "input", () => $("cards").style.setProperty("--size", `${$("size").value}px`));
  on("blind", "change", () => document.body.classList.toggle("blind", $("blind").checked));
  on("comment", "input", () => { book.set(current.n, { comment: $("comment").value }); changed(current); });
  on("grader", "input", () => { keeping.grader = $("grader").value; });
  on("save", "click", save);
  on("undo", "click", undo);
  on("load", "change", () => { if ($("load").files[0]) load($("load").files[0]); $("load").value = ""; });
  for (const button of document.querySelectorAll("[data-key]"))
    button.addEventListener("click", () => KEYS[button.dataset.key]());
  for (const button of document.querySelectorAll("#buttons [data-grade]"))
    button.addEventListener("click", () => grade(button.dataset.grade));
  // Another window with the same page.
  addEventListener("storage", ({ key, newValue }) => {
    const [n, entry] = keeping.parse(key, newValue);
    if (!entry || !candidates[n]) return;
    book.take(n, entry);
    changed(candidates[n]);
  });
  addEventListener("beforeunload", (event) => {
    if (!keeping.isKept && book.entries.size) event.preventDefault();
  });
  $("grader").value = keeping.grader;
  // On a phone the candidate at hand must leave room for the others.
  $("more").open = $("settings").open = innerWidth > 860;
  if (innerWidth <= 860) $("size").value = 100;
  $("size").dispatchEvent(new Event("input"));
  applyFilter();
  const first = candidates.find(({ n }) => !book.of(n).grade) ?? candidates[0];
  if (first) select(first, book.entries.size > 0);
  showProgress();
  redraw();
  document.body.dataset.ready = "yes";
}

begin();
