"use strict";
// What the page itself does: light and dark, tables that sort, choices between tables, and links to folded cases.

const root = document.documentElement;
const THEME = "ct2pet-theme";

/** Storage may be forbidden for files. */
function remembered(name, value) {
  try {
    if (value === undefined) return localStorage.getItem(name);
    localStorage.setItem(name, value);
  } catch {
    return null;
  }
}

function useTheme(theme) {
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
}
useTheme(remembered(THEME));

function switchTheme() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  useTheme(dark ? "light" : "dark");
  remembered(THEME, root.dataset.theme);
}

/** Numbers by size, texts by alphabet, what is missing last. */
function sortTable(table, column, ascending) {
  const body = table.tBodies[0];
  const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const numbers = [Number(x), Number(y)];
    const order = numbers.some(Number.isNaN) ? x.localeCompare(y, undefined, { numeric: true }) : numbers[0] - numbers[1];
    return ascending ? order : -order;
  };
  body.append(...[...body.rows].sort(compare));
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const ascending = header.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sortTable(table, column, ascending);
    });
  });
}

/** Let the reader save what the page has made. */
function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const fileName = (text) => text.replace(/[^\p{L}\p{N}]+/gu, "_").replace(/^_|_$/g, "");

/** A table as comma-separated values; numbers as they are shown. */
function csvOf(table) {
  const quoted = (cell) => {
    const text = cell.textContent.trim().replaceAll("−", "-");
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [...table.rows].map((row) => [...row.cells].map(quoted).join(",")).join("\n") + "\n";
}

/** A button below each table that saves it. */
function makeSavable(table) {
  const name = table.caption ? table.caption.textContent : table.tHead.rows[0].cells[0].textContent;
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "CSV", className: "save" });
  button.setAttribute("aria-label", `Save the table ${name} as CSV`);
  button.addEventListener("click", () => download(new Blob([csvOf(table)], { type: "text/csv" }), `${fileName(name)}.csv`));
  table.closest(".scroll").after(button);
}

/** A click on a picture saves it. */
function makePictureSavable(image) {
  const link = document.createElement("a");
  link.download = `${fileName(image.alt)}.png`;
  link.href = image.src;
  link.title = "Save as PNG";
  image.replaceWith(link);
  link.append(image);
}

/** On paper nothing is folded away. */
function unfoldForPrint() {
  const folded = [...document.querySelectorAll("details:not([open])")];
  for (const one of folded) one.open = true;
  addEventListener("afterprint", () => folded.forEach((one) => (one.open = false)), { once: true });
}

/** Of several alternatives one is seen; without this script all are. */
function makeChoice(choice) {
  const select = choice.querySelector("select");
  const show = () => {
    for (const one of choice.querySelectorAll("[data-choice]")) one.hidden = one.dataset.choice !== select.value;
  };
  choice.querySelector(".chooser").hidden = false;
  select.addEventListener("input", show);
  show();
}

/** A link to something folded away opens it; one to a lesion moves the viewer's crosshair there. */
function openTarget() {
  const anchor = decodeURIComponent(location.hash.slice(1));
  const target = anchor && document.getElementById(anchor);
  const folded = target && target.closest("details");
  if (folded) folded.open = true;
  if (target) target.scrollIntoView();
  const lesion = target && target.matches(".jump a") && anchor.match(/-lesion-(\d+)$/);
  if (lesion) root.dispatchEvent(new CustomEvent("lesion", { detail: { card: folded, number: Number(lesion[1]) } }));
}

function start() {
  const button = document.getElementById("theme");
  button.hidden = false;
  button.addEventListener("click", switchTheme);
  document.querySelectorAll("table.sortable").forEach(makeSortable);
  document.querySelectorAll(".scroll > table").forEach(makeSavable);
  document.querySelectorAll(".mips img, .contours img, .plots > img").forEach(makePictureSavable);
  addEventListener("beforeprint", unfoldForPrint);
  document.querySelectorAll(".alternatives").forEach(makeChoice);
  addEventListener("hashchange", openTarget);
  startViewer();
  openTarget();
}

/** Each case has a button that brings the viewer; the first case that is seen brings it by itself. */
function startViewer() {
  const element = document.getElementById("viewer");
  if (!element) return;
  const viewer = new SliceViewer(element, JSON.parse(document.getElementById("viewer-settings").textContent));
  const buttons = [...document.querySelectorAll("button[data-volumes]")];
  const open = (button, lesion) => {
    for (const other of buttons) other.hidden = other === button;
    const data = document.getElementById(button.dataset.volumes);
    viewer.open(button.parentElement, data, button.dataset.name, lesion);
  };
  root.addEventListener("lesion", (event) => {
    open(event.detail.card.querySelector("button[data-volumes]"), event.detail.number);
    element.scrollIntoView({ block: "nearest" });
  });
  // A link to the lesion that is shown already moves the crosshair back to it.
  document.querySelectorAll(".jump a").forEach((link) =>
    link.addEventListener("click", () => link.hash === location.hash && openTarget()));
  for (const button of buttons) {
    button.hidden = false;
    button.addEventListener("click", () => open(button));
  }
  const watcher = new IntersectionObserver((entries) => {
    const seen = entries.find((entry) => entry.isIntersecting);
    if (!seen) return;
    watcher.disconnect();
    if (!viewer.wanted) open(seen.target);
  }, { rootMargin: "50% 0px" });
  buttons.forEach((button) => watcher.observe(button));
}

addEventListener("DOMContentLoaded", start);
