"use strict";
// Shows one image at a time, takes a rating of 1 (surely real) to 4 (surely synthetic), and keeps all in this browser.

const element = (id) => document.getElementById(id);
const { study, images } = JSON.parse(element("study").textContent);
const KEY = `ct2pet-reader-study-${study}`;
const buttons = [...element("answers").children];
let state = { place: 0, reader: "", ratings: images.map(() => 0) };

function notify(text) {
  element("notice").textContent = text;
  element("notice").hidden = false;
}

function keep() {
  try {
    localStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    notify("This browser keeps nothing for this page: do not close or reload it before the answers are saved.");
  }
}

function restore() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY));
    if (kept && kept.ratings.length === images.length) state = kept;
  } catch {
    notify("Earlier answers could not be read.");
  }
}

function answered() {
  return state.ratings.filter((rating) => rating > 0).length;
}

function show() {
  element("image").src = `data:image/png;base64,${images[state.place]}`;
  element("image").alt = `Image ${state.place + 1}`;
  element("place").textContent = `Image ${state.place + 1} of ${images.length}, ${answered()} answered`;
  for (const button of buttons) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.rating) === state.ratings[state.place]));
  }
  element("previous").disabled = state.place === 0;
  element("next").disabled = state.place === images.length - 1;
  element("open").disabled = answered() === images.length;
}

function go(place) {
  state.place = Math.min(Math.max(place, 0), images.length - 1);
  keep();
  show();
}

function answer(rating) {
  state.ratings[state.place] = rating;
  go(state.place + 1);
}

function goToUnanswered() {
  const later = state.ratings.findIndex((rating, index) => rating === 0 && index > state.place);
  const first = later < 0 ? state.ratings.indexOf(0) : later;
  if (first >= 0) go(first);
}

function save() {
  const content = { study, reader: state.reader, ratings: state.ratings };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1)], { type: "application/json" }));
  link.download = `answers_${study}${state.reader ? `_${state.reader.replace(/[^\w-]/g, "")}` : ""}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

restore();
element("reader").value = state.reader;
for (const button of buttons) button.addEventListener("click", () => answer(Number(button.dataset.rating)));
element("previous").addEventListener("click", () => go(state.place - 1));
element("next").addEventListener("click", () => go(state.place + 1));
element("open").addEventListener("click", goToUnanswered);
element("save").addEventListener("click", save);
element("reader").addEventListener("input", (event) => {
  state.reader = event.target.value;
  keep();
});
document.addEventListener("keydown", (event) => {
  if (event.target === element("reader") || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key >= "1" && event.key <= "4" && event.key.length === 1) answer(Number(event.key));
  else if (event.key === "ArrowLeft") go(state.place - 1);
  else if (event.key === "ArrowRight") go(state.place + 1);
  else return;
  event.preventDefault();
});
show();
