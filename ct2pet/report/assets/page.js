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

/** A link to something folded away opens it. */
function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target && target.closest("details");
  if (folded) folded.open = true;
  if (target) target.scrollIntoView();
}

function start() {
  const button = document.getElementById("theme");
  button.hidden = false;
  button.addEventListener("click", switchTheme);
  document.querySelectorAll("table.sortable").forEach(makeSortable);
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
  const open = (button) => {
    for (const other of buttons) other.hidden = other === button;
    const data = document.getElementById(button.dataset.volumes);
    viewer.open(button.parentElement, data, button.dataset.name);
  };
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
