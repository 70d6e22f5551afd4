"use strict";
// A surface in three dimensions on a 2D canvas: projection, colours, far cells first.

// viridis in ten equal steps (van der Walt and Smith 2015).
const COLORS = [
  [68, 1, 84], [72, 36, 117], [65, 68, 135], [53, 95, 141], [42, 120, 142], [33, 145, 140],
  [34, 168, 132], [68, 191, 112], [122, 209, 81], [189, 223, 38], [253, 231, 37],
];
const DROP = "#d55e00", START = "#56b4e9";
const HIGH = 0.75; // half the height of the box; its sides run from -1 to 1
const DISTANCE = 5; // of the eye from the middle of the box

// Colour of a height from 0 to 1, darker by `shade` (0 to 1).
function heightColor(height, shade = 0) {
  const place = Math.min(Math.max(height, 0), 1) * (COLORS.length - 1);
  const low = Math.min(Math.floor(place), COLORS.length - 2);
  const mix = (i) => COLORS[low][i] + (place - low) * (COLORS[low + 1][i] - COLORS[low][i]);
  return `rgb(${[0, 1, 2].map((i) => Math.round((1 - shade) * mix(i))).join(",")})`;
}

// One scale of heights for all these surfaces: {low, high, log, at(loss) -> 0..1, ticks}.
function heightScale(surfaces, log, cap) {
  const losses = surfaces.flatMap((surface) => surface.loss)
    .filter((loss) => loss !== null && (!log || loss > 0))
    .sort((a, b) => a - b);
  let low = losses[0] ?? (log ? 0.1 : 0), high = losses.at(-1) ?? 1;
  if (cap !== null && cap > low) high = Math.min(high, cap);
  // As in the figures: one point next to zero does not stretch a logarithmic scale.
  if (log) low = Math.max(low, Math.min(losses[Math.floor(losses.length / 10)] ?? low, high) / 1e3);
  if (low === high) high = log ? low * 10 : low + 1;
  const bend = log ? Math.log : (v) => v;
  const at = (loss) => {
    const place = (bend(log ? Math.max(loss, low) : loss) - bend(low)) / (bend(high) - bend(low));
    return Math.min(Math.max(place, 0), 1);
  };
  return { low, high, log, at, ticks: ticks(low, high, log) };
}

// Round values within a range, at most about seven.
function ticks(low, high, log) {
  const found = [];
  if (log) {
    const decades = Math.log10(high / low);
    const steps = decades > 3 ? [1] : decades > 1 ? [1, 3] : [1, 1.5, 2, 3, 5, 7];
    const every = Math.max(1, Math.ceil(decades / 7));
    for (let k = Math.floor(Math.log10(low)); k <= Math.ceil(Math.log10(high)); k++) {
      if (k % every === 0) for (const step of steps) found.push(step * 10 ** k);
    }
  } else {
    const rough = (high - low) / 6, unit = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((f) => f * unit).find((s) => s >= rough * (1 - 1e-9));
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high * (1 + 1e-9) + 1e-12; k++) found.push(k * step);
  }
  const room = 1e-9 * (high - low);
  return found.filter((v) => v >= low - room && v <= high + room);
}

// A number in at most four digits.
function shown(value) {
  if (value === null) return "not finite";
  const short = Number(value.toPrecision(4)), size = Math.abs(short);
  if (size !== 0 && (size >= 1e5 || size < 1e-3)) return short.toExponential().replace("e+", "e");
  return String(short);
}

// From a point of the box to {x, y} on a canvas, and how far away it is.
function projector(camera, width, height) {
  const [sin, cos] = [Math.sin(camera.azimuth), Math.cos(camera.azimuth)];
  const [rise, level] = [Math.sin(camera.elevation), Math.cos(camera.elevation)];
  const unit = Math.min(0.225 * width, 0.27 * height) * camera.zoom;
  return (x, y, z) => {
    const right = y * cos - x * sin, back = -x * cos - y * sin;
    const up = z * level + back * rise, away = back * level - z * rise;
    const near = DISTANCE / (DISTANCE + away);
    return { x: width / 2 + unit * near * right, y: 0.44 * height - unit * near * up, away };
  };
}

const across = (places, value) => {
  const low = places[0], high = places[places.length - 1];
  return high > low ? (2 * (value - low)) / (high - low) - 1 : 0;
};

// All points of a surface on the canvas, x fastest; null where the loss is not finite.
function projected(surface, scale, project) {
  const points = [];
  surface.y.forEach((y, row) => surface.x.forEach((x, column) => {
    const loss = surface.loss[row * surface.x.length + column];
    if (loss === null) return points.push(null);
    const height = scale.at(loss);
    const z = HIGH * (2 * height - 1);
    points.push({ ...project(across(surface.x, x), across(surface.y, y), z), height, loss, x0: x, y0: y, z });
  }));
  return points;
}

// Draws a surface; returns its points on the canvas for the read-out.
function drawSurface(context, size, surface, scale, camera, look) {
  const project = projector(camera, size.width, size.height);
  context.clearRect(0, 0, size.width, size.height);
  context.lineJoin = "round";
  drawBox(context, surface, scale, project, look);
  const points = projected(surface, scale, project);
  const columns = surface.x.length;
  const cells = [];
  for (let row = 0; row + 1 < surface.y.length; row++) {
    for (let column = 0; column + 1 < columns; column++) {
      const first = row * columns + column;
      const corners = [first, first + 1, first + columns + 1, first + columns].map((i) => points[i]);
      if (corners.some((p) => p === null)) continue;
      const u = across(surface.x, 0.5 * (surface.x[column] + surface.x[column + 1]));
      const v = across(surface.y, 0.5 * (surface.y[row] + surface.y[row + 1]));
      cells.push({ corners, away: project(u, v, -HIGH).away });
    }
  }
  // Seen from above, what is nearer on the floor is in front.
  cells.sort((a, b) => b.away - a.away);
  for (const { corners } of cells) {
    const mean = corners.reduce((sum, p) => sum + p.height, 0) / 4;
    const slope = Math.hypot(corners[2].z - corners[0].z, corners[3].z - corners[1].z) * columns / 8;
    context.beginPath();
    corners.forEach((p, i) => (i ? context.lineTo(p.x, p.y) : context.moveTo(p.x, p.y)));
    context.closePath();
    context.fillStyle = heightColor(mean, 0.3 * Math.min(slope, 1));
    context.strokeStyle = context.fillStyle; // no seams between neighbours
    context.lineWidth = 0.7;
    context.fill();
    context.stroke();
  }
  if (surface.path) drawPath(context, surface, scale, project, look);
  return points;
}

function line(context, points, color, width) {
  context.beginPath();
  points.forEach((p, i) => (i ? context.lineTo(p.x, p.y) : context.moveTo(p.x, p.y)));
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke();
}

function label(context, words, at, align, look) {
  context.fillStyle = look.ink;
  context.textAlign = align;
  context.textBaseline = "middle";
  context.fillText(words, at.x, at.y);
}

// Floor, upright edges, and ticks along the edges next to the viewer.
function drawBox(context, surface, scale, project, look) {
  context.font = "12px system-ui, sans-serif";
  const corner = (x, y, z) => project(x, y, z);
  const floor = [[-1, -1], [1, -1], [1, 1], [-1, 1]];
  line(context, [...floor, floor[0]].map(([x, y]) => corner(x, y, -HIGH)), look.line, 1);
  for (const [x, y] of floor) line(context, [corner(x, y, -HIGH), corner(x, y, HIGH)], look.edge, 1);
  const nearY = corner(0, -1, -HIGH).away < corner(0, 1, -HIGH).away ? -1 : 1;
  const nearX = corner(-1, 0, -HIGH).away < corner(1, 0, -HIGH).away ? -1 : 1;
  for (const value of ticks(surface.x[0], surface.x.at(-1), false)) {
    const x = across(surface.x, value);
    label(context, shown(value), corner(x, nearY * 1.14, -HIGH), "center", look);
    line(context, [corner(x, nearY, -HIGH), corner(x, nearY * 1.04, -HIGH)], look.ink, 1);
  }
  for (const value of ticks(surface.y[0], surface.y.at(-1), false)) {
    const y = across(surface.y, value);
    label(context, shown(value), corner(nearX * 1.14, y, -HIGH), "center", look);
    line(context, [corner(nearX, y, -HIGH), corner(nearX * 1.04, y, -HIGH)], look.ink, 1);
  }
  const middle = corner(0, 0, -HIGH).x;
  const name = (words, at) => {
    const [wide, end] = [context.measureText(words).width, context.canvas.clientWidth];
    if (at.x < middle) label(context, words, { x: Math.max(at.x, wide), y: at.y }, "right", look);
    else label(context, words, { x: Math.min(at.x, end - wide), y: at.y }, "left", look);
  };
  name(surface.labels[0], corner(0, nearY * 1.34, -HIGH));
  name(surface.labels[1], corner(nearX * 1.34, 0, -HIGH));
  const left = floor.map(([x, y]) => ({ x, y, at: corner(x, y, 0).x })).sort((a, b) => a.at - b.at)[0];
  line(context, [corner(left.x, left.y, -HIGH), corner(left.x, left.y, HIGH)], look.ink, 1);
  for (const value of scale.ticks) {
    const at = corner(left.x, left.y, HIGH * (2 * scale.at(value) - 1));
    line(context, [at, { x: at.x - 4, y: at.y }], look.ink, 1);
    label(context, shown(value), { x: at.x - 7, y: at.y }, "right", look);
  }
  const top = corner(left.x, left.y, HIGH);
  label(context, scale.log ? "Loss (log)" : "Loss", { x: top.x, y: top.y - 14 }, "center", look);
}

// Height of the surface at any place, between its points; null beyond it or at a gap.
function heightAt(surface, x, y) {
  const cell = (places, value) => {
    const after = places.findIndex((p) => p >= value);
    if (after < 0 || value < places[0]) return null;
    const low = Math.max(after, 1) - 1;
    return [low, (value - places[low]) / (places[low + 1] - places[low])];
  };
  const [a, b] = [cell(surface.x, x), cell(surface.y, y)];
  if (!a || !b) return null;
  const at = (i, j) => surface.loss[(b[0] + j) * surface.x.length + a[0] + i];
  const corners = [at(0, 0), at(1, 0), at(0, 1), at(1, 1)];
  if (corners.some((v) => v === null)) return null;
  const mix = (p, q, part) => p + part * (q - p);
  return mix(mix(corners[0], corners[1], a[1]), mix(corners[2], corners[3], a[1]), b[1]);
}

// The optimiser's way, a little above the surface.
function drawPath(context, surface, scale, project, look) {
  const steps = surface.path.map((step) => {
    const loss = heightAt(surface, step.x, step.y);
    const z = HIGH * (2 * (loss === null ? 1 : scale.at(loss)) - 1) + 0.02;
    return { ...step, ...project(across(surface.x, step.x), across(surface.y, step.y), z) };
  });
  line(context, steps, look.page, 4);
  line(context, steps, look.ink, 1.5);
  steps.forEach((step, i) => {
    context.beginPath();
    context.arc(step.x, step.y, step.dropped || i === 0 ? 4.5 : 2.5, 0, 7);
    context.fillStyle = i === 0 ? START : step.dropped ? DROP : look.ink;
    context.fill();
  });
}

// The bar that says which colour is which loss.
function drawBar(context, size, scale, look) {
  context.clearRect(0, 0, size.width, size.height);
  context.font = "12px system-ui, sans-serif";
  const [top, bottom, wide] = [24, size.height - 12, 16];
  for (let y = top; y < bottom; y++) {
    context.fillStyle = heightColor((bottom - y) / (bottom - top));
    context.fillRect(2, y, wide, 1.5);
  }
  label(context, "Loss", { x: 2, y: 10 }, "left", look);
  for (const value of scale.ticks) {
    const y = bottom - scale.at(value) * (bottom - top);
    line(context, [{ x: wide + 2, y }, { x: wide + 6, y }], look.ink, 1);
    label(context, shown(value), { x: wide + 10, y }, "left", look);
  }
}
