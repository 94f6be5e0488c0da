"use strict";
// The slice viewer: one on the page. It moves into the case that is opened, and unpacks that case's volumes then.

/** A number with a sign that is not a hyphen. */
const withMinus = (value) => String(value).replace("-", "−");

class SliceViewer {
  constructor(root, settings) {
    this.root = root;
    this.shown = settings.input; // the input image: a CT lies under the PETs, another PET beside them
    this.tables = { input: settings.input.values, pet: settings.pet };
    this.maps = Object.fromEntries(Object.entries(settings.colours).map(([name, text]) => [name, colourTable(text)]));
    this.nameInput();
    this.volumes = null;
    this.position = [0, 0, 0];
    this.active = "coronal"; // of three planes the one that wheel, arrow keys and slider scroll
    this.panels = Object.fromEntries(
      [...root.querySelectorAll("[data-panel]")].map((figure) => [figure.dataset.panel, this.buildPanel(figure)]),
    );
    for (const name of settings.petColours) this.input("colours").add(new Option(name.label, name.map));
    root.addEventListener("input", (event) => this.changed(event.target));
    root.addEventListener("keydown", (event) => this.pressed(event));
    const slices = root.querySelector(".slices");
    slices.addEventListener("wheel", (event) => this.wheeled(event, slices), { passive: false });
    this.input("save").addEventListener("click", () => saveSlices(this));
  }

  get inputIsCt() {
    return this.shown.kind === "ct";
  }

  /** The captions, and only those controls that the kind of the input image needs. */
  nameInput() {
    const caption = (panel, text) => (this.root.querySelector(`[data-panel="${panel}"] figcaption`).textContent = text);
    caption("input", this.shown.title);
    if (this.inputIsCt) {
      caption("real", `${this.shown.title} + real PET`);
      caption("fake", `${this.shown.title} + synthetic PET`);
    }
    for (const label of this.root.querySelectorAll("[data-kind]")) label.hidden = label.dataset.kind !== this.shown.kind;
  }

  input(name) {
    return this.root.querySelector(`[name="${name}"]`);
  }

  number(name) {
    return Number(this.input(name).value);
  }

  /** The planes that are shown, in the order of the frames. */
  get planes() {
    const chosen = this.root.querySelector('[name="plane"]:checked').value;
    return chosen === "three" ? ["coronal", "sagittal", "axial"] : [chosen];
  }

  /** The plane that is scrolled. */
  get plane() {
    return this.planes.includes(this.active) ? this.active : this.planes[0];
  }

  buildPanel(figure) {
    const make = (tag, kind, parent) => {
      const element = document.createElement(tag);
      element.className = kind;
      return parent.appendChild(element);
    };
    const buildFrame = (plane) => {
      const frame = make("div", `frame ${plane}`, frames);
      const canvas = make("canvas", "", frame);
      canvas.setAttribute("role", "img");
      const sides = ["left", "right", "top", "bottom"].map((side) => make("span", `side ${side}`, frame));
      const crosshair = { x: make("i", "cross vertical", frame), y: make("i", "cross horizontal", frame) };
      frame.addEventListener("pointerdown", (event) => this.pointed(event, canvas, plane));
      return { frame, canvas, sides, crosshair };
    };
    const frames = make("div", "frames", figure);
    const planes = Object.fromEntries(["coronal", "sagittal", "axial"].map((plane) => [plane, buildFrame(plane)]));
    const bar = make("div", "bar", figure);
    const ends = make("div", "ends", figure);
    return { caption: figure.querySelector("figcaption").textContent, planes, bar, ends };
  }

  /** Show a case: `place` is where the viewer goes, `element` holds the packed volumes; `lesion` (1, 2, ...) is where the
   * crosshair begins, without it the middle. */
  async open(place, element, name, lesion) {
    if (this.volumes && this.wanted === element && this.root.dataset.state === "ready") {
      this.jump(lesion);
      return;
    }
    place.append(this.root);
    this.root.hidden = false;
    this.root.dataset.state = "loading";
    this.say("Unpacking …");
    this.wanted = element;
    try {
      const volumes = await decodeVolumes(element);
      if (this.wanted !== element) return; // another case was opened meanwhile
      this.volumes = volumes;
    } catch (error) {
      this.root.dataset.state = "failed";
      this.say(`The slices cannot be shown: ${error.message}. Any browser of 2023 or later can.`);
      return;
    }
    this.name = name;
    this.position = this.volumes.shape.map((size) => Math.floor(size / 2));
    this.root.querySelector('[data-part="contours"]').hidden = !this.volumes.regions;
    const voxels = `Shown in voxels of ${this.volumes.voxel.toFixed(1)} mm and 8 bits; all numbers of this report come from the full images.`;
    this.root.querySelector(".voxels").textContent = voxels;
    this.root.dataset.state = "ready";
    this.jump(lesion);
  }

  /** Put the crosshair on a lesion; without one it stays. */
  jump(lesion) {
    const place = lesion && this.volumes.lesions[lesion - 1];
    if (place) this.position = [...place];
    this.draw();
  }

  changed(input) {
    if (!this.volumes) return;
    if (input.name === "slice") this.position[PLANES[this.plane].fixed] = Number(input.value);
    if (input.name === "preset" && input.value) {
      [this.input("level").value, this.input("width").value] = input.value.split(" ");
    }
    if (input.name === "level" || input.name === "width") this.input("preset").value = "";
    this.draw();
  }

  scroll(step) {
    const { fixed } = PLANES[this.plane];
    const last = this.volumes.shape[fixed] - 1;
    this.position[fixed] = Math.min(last, Math.max(0, this.position[fixed] + step));
    this.draw();
  }

  pressed(event) {
    if (!this.volumes || event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -1e9, End: 1e9 };
    const plane = [...Object.keys(PLANES), "three"].find((name) => name[0] === event.key.toLowerCase());
    if (event.key in steps) this.scroll(steps[event.key]);
    else if (plane) this.choosePlane(plane);
    else return;
    event.preventDefault();
  }

  choosePlane(plane) {
    this.root.querySelector(`[name="plane"][value="${plane}"]`).checked = true;
    this.draw();
  }

  wheeled(event, slices) {
    if (!this.volumes || document.activeElement !== slices || event.ctrlKey) return; // else the page scrolls
    event.preventDefault();
    this.scroll(event.deltaY > 0 ? -1 : 1);
  }

  pointed(event, canvas, plane) {
    if (!this.volumes) return;
    this.active = plane;
    const box = canvas.getBoundingClientRect();
    const { row, column, up } = PLANES[plane];
    const at = (share, size) => Math.min(size - 1, Math.max(0, Math.floor(share * size)));
    const y = at((event.clientY - box.top) / box.height, canvas.height);
    this.position[row] = up ? canvas.height - 1 - y : y;
    this.position[column] = at((event.clientX - box.left) / box.width, canvas.width);
    this.draw();
  }

  /** Draw with the next picture of the screen; several changes until then are one. */
  draw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = null;
      this.drawNow();
    });
  }

  drawNow() {
    const { fixed } = PLANES[this.plane];
    const windows = { fusion: this.inputIsCt ? this.number("fusion") / 100 : 1 };
    for (const name of ["suv", "error", "level", "width"]) windows[name] = this.number(name);
    const colours = { pet: this.maps[this.input("colours").value], error: this.maps.error };
    const paint = panelColours(this.volumes, this.tables, colours, windows, this.inputIsCt);
    const shown = this.planes;
    this.root.querySelector(".slices").classList.toggle("three", shown.length > 1);
    for (const [name, panel] of Object.entries(this.panels)) {
      for (const [plane, frame] of Object.entries(panel.planes)) {
        frame.frame.hidden = !shown.includes(plane);
        if (!frame.frame.hidden) this.drawFrame(frame, plane, paint[name], panel.caption);
      }
    }
    drawProfile(this, windows);
    this.drawBars(windows, colours);
    this.drawControls(windows, fixed);
    this.root.dataset.drawn = Number(this.root.dataset.drawn || 0) + 1;
  }

  drawFrame({ canvas, frame, sides, crosshair }, plane, colour, caption) {
    const layout = sliceLayout(this.volumes.shape, plane, this.position[PLANES[plane].fixed]);
    if (canvas.width !== layout.width || canvas.height !== layout.height) {
      [canvas.width, canvas.height] = [layout.width, layout.height];
      frame.style.setProperty("--ratio", layout.width / layout.height);
    }
    const context = canvas.getContext("2d");
    const image = context.createImageData(layout.width, layout.height);
    paintSlice(image, layout, colour);
    if (this.volumes.regions && this.input("contours").checked) paintContours(image, layout, this.volumes.regions);
    context.putImageData(image, 0, 0);
    const { row, column, up } = PLANES[plane];
    const y = up ? layout.height - 1 - this.position[row] : this.position[row];
    crosshair.x.style.left = `${(100 * (this.position[column] + 0.5)) / layout.width}%`;
    crosshair.y.style.top = `${(100 * (y + 0.5)) / layout.height}%`;
    PLANES[plane].sides.forEach((letter, index) => (sides[index].textContent = letter));
    canvas.setAttribute("aria-label", `${caption}, ${plane} slice of ${this.name}`);
  }

  drawBars(windows, colours) {
    const css = (table) =>
      `linear-gradient(to right,${table.filter((_, i) => i % 17 === 0).map((rgb) => `rgb(${rgb})`).join()})`;
    const low = windows.level - windows.width / 2;
    const pet = [css(colours.pet), "0", `${windows.suv} SUV`];
    const ct = ["linear-gradient(to right,#000,#fff)", `${withMinus(low)} HU`, `${withMinus(low + windows.width)} HU`];
    const bars = {
      input: this.inputIsCt ? ct : pet,
      real: pet,
      fake: pet,
      error: [css(colours.error), `−${windows.error}`, `+${windows.error} SUV`],
    };
    for (const [name, [gradient, left, right]] of Object.entries(bars)) {
      this.panels[name].bar.style.background = gradient;
      this.panels[name].ends.replaceChildren(...[left, right].map((text) => Object.assign(document.createElement("span"), { textContent: text })));
    }
  }

  drawControls(windows, fixed) {
    const slice = this.input("slice");
    slice.max = this.volumes.shape[fixed] - 1;
    slice.value = this.position[fixed];
    const texts = {
      slice: `${this.position[fixed] + 1} of ${this.volumes.shape[fixed]} (${this.plane})`,
      fusion: `${Math.round(100 * windows.fusion)}%`,
      suv: `${windows.suv} SUV`,
      error: `±${windows.error} SUV`,
      level: `${withMinus(windows.level)} HU`,
      width: `${windows.width} HU`,
    };
    for (const [name, text] of Object.entries(texts)) {
      this.root.querySelector(`[data-of="${name}"]`).textContent = text;
      this.input(name).setAttribute("aria-valuetext", text);
    }
    this.say(this.numbersHere());
  }

  numbersHere() {
    const [z, y, x] = this.position;
    const voxel = (z * this.volumes.shape[1] + y) * this.volumes.shape[2] + x;
    const [real, fake] = [this.volumes.real, this.volumes.fake].map((codes) => this.tables.pet[codes[voxel]]);
    const value = this.tables.input[this.volumes.input[voxel]];
    const shown = this.inputIsCt ? withMinus(Math.round(value)) : value.toFixed(1);
    const sign = fake < real ? "−" : "+";
    return `At the crosshair: ${this.shown.title} ${shown} ${this.shown.unit}, real ${real.toFixed(1)} SUV, synthetic ${fake.toFixed(1)} SUV, difference ${sign}${Math.abs(fake - real).toFixed(1)} SUV.`;
  }

  say(text) {
    this.root.querySelector(".readout").textContent = text;
  }
}
