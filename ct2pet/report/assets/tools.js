"use strict";
// What the viewer shows and saves beside its slices: the profile line, and the slices as a picture.

/** Real and synthetic SUV along the horizontal line through the crosshair of the plane that is scrolled. */
function drawProfile(viewer, windows) {
  const { column } = PLANES[viewer.plane];
  const { start, step, count } = profileLine(viewer.volumes.shape, viewer.position, column);
  const line = (codes) => Array.from({ length: count }, (_, i) => viewer.tables.pet[codes[start + i * step]]);
  const lines = { real: line(viewer.volumes.real), fake: line(viewer.volumes.fake) };
  const top = Math.max(windows.suv / 4, ...lines.real, ...lines.fake);
  const x = (i) => ((600 * (i + 0.5)) / count).toFixed(1);
  const path = (values) => values.map((suv, i) => `${i ? "L" : "M"}${x(i)} ${(125 - (120 * suv) / top).toFixed(1)}`).join("");
  const figure = viewer.root.querySelector(".profile");
  for (const [name, values] of Object.entries(lines)) figure.querySelector(`path.${name}`).setAttribute("d", path(values));
  const here = x(viewer.position[column]);
  figure.querySelector("path.here").setAttribute("d", `M${here} 0V130`);
  const direction = column === 2 ? "from the patient's right to left" : "from front to back";
  const length = (count * viewer.volumes.voxel).toFixed(0);
  const said = `SUV along the horizontal line through the crosshair, ${direction}, 0 to ${top.toFixed(1)} SUV`;
  figure.querySelector("figcaption").textContent = said;
  figure.querySelector("svg").setAttribute("aria-label", said);
  const ends = figure.querySelectorAll(".ends > span");
  [ends[0].textContent, ends[2].textContent] = ["0 mm", `${length} mm`];
}

/** Save what is shown as one PNG: a column a panel, a row a plane, enlarged three times. */
function saveSlices(viewer) {
  if (!viewer.volumes) return;
  const scale = 3;
  const shown = viewer.planes;
  const columns = Object.values(viewer.panels).map((panel) => shown.map((plane) => panel.planes[plane].canvas));
  const width = Math.max(...columns[0].map((canvas) => canvas.width)) * scale;
  const heights = columns[0].map((canvas) => canvas.height * scale);
  const sheet = Object.assign(document.createElement("canvas"), { width: width * columns.length, height: heights.reduce((a, b) => a + b) });
  const context = sheet.getContext("2d");
  context.imageSmoothingEnabled = false;
  columns.forEach((canvases, number) => {
    let top = 0;
    canvases.forEach((canvas, row) => {
      context.drawImage(canvas, number * width, top, canvas.width * scale, canvas.height * scale);
      top += heights[row];
    });
  });
  sheet.toBlob((blob) => download(blob, `${viewer.name}_slices.png`), "image/png");
}
