// Controls, pointers and keys. The whole state is here; `draw` shows it.

const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const HOME = { azimuth: (-60 * Math.PI) / 180, elevation: (28 * Math.PI) / 180, zoom: 1 };
const TURN = 0.01; // radians to a pixel
const state = { log: data.log, cap: data.cap, linked: true };
const views = [...document.querySelectorAll(".view")].map((box) => ({
  box,
  canvas: box.querySelector("canvas"),
  readout: box.querySelector("output"),
  camera: { ...HOME },
  surface: null,
  points: [],
}));

function look() {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  return { page: color("--page"), ink: color("--ink"), line: color("--line"), edge: color("--edge") };
}

// Fits a canvas to its box and the screen's pixels.
function prepared(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const [wide, tall] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== tall) [canvas.width, canvas.height] = [wide, tall];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return [context, { width, height }];
}

function draw() {
  const seen = views.filter((view) => view.surface);
  const scale = heightScale(seen.map((view) => view.surface), state.log, state.cap);
  const colors = look();
  for (const view of views) {
    view.box.hidden = !view.surface;
    if (!view.surface) continue;
    view.box.querySelector("h2").textContent = view.surface.network;
    view.canvas.setAttribute("aria-label", `Loss surface: ${view.surface.name}`);
    const [context, size] = prepared(view.canvas);
    view.points = drawSurface(context, size, view.surface, scale, view.camera, colors);
  }
  drawBar(...prepared(element("bar")), scale, colors);
  document.body.dataset.drawn = String(1 + Number(document.body.dataset.drawn || 0));
}

function choose(index, number) {
  views[index].surface = number === "" ? null : data.surfaces[Number(number)];
  const about = views.filter((view) => view.surface).map((view) => view.surface.about);
  element("about").textContent = [...new Set(about)].join(" ");
}

// Moves a camera, and the others with it where they are linked.
function move(view, change) {
  change(view.camera);
  const camera = view.camera;
  camera.elevation = Math.min(Math.max(camera.elevation, 0.05), Math.PI / 2);
  camera.zoom = Math.min(Math.max(camera.zoom, 0.3), 12);
  if (state.linked) for (const other of views) other.camera = { ...camera };
  draw();
}

const turn = (view, right, down) => move(view, (camera) => {
  camera.azimuth -= right * TURN;
  camera.elevation += down * TURN;
});
const zoom = (view, factor) => move(view, (camera) => { camera.zoom *= factor; });
const reset = () => { for (const view of views) view.camera = { ...HOME }; draw(); };

// The point of the surface next to the pointer, the nearest to the viewer of those close by.
function read(view, x, y) {
  let best = null;
  for (const point of view.points) {
    if (!point) continue;
    const distance = Math.hypot(point.x - x, point.y - y);
    if (distance < 14 && (!best || distance + 4 * point.away < best.rank)) {
      best = { ...point, rank: distance + 4 * point.away };
    }
  }
  view.readout.textContent = best
    ? `x ${shown(best.x0)}   y ${shown(best.y0)}   loss ${shown(best.loss)}`
    : "";
}

function listen(view) {
  const { canvas } = view;
  const pointers = new Map();
  const place = (event) => ({ offsetX: event.offsetX, offsetY: event.offsetY });
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return read(view, event.offsetX, event.offsetY);
    const spread = () => {
      const [a, b] = [...pointers.values()];
      return Math.hypot(a.offsetX - b.offsetX, a.offsetY - b.offsetY);
    };
    const old = pointers.size === 2 ? spread() : 0;
    pointers.set(event.pointerId, place(event));
    if (old > 0) zoom(view, spread() / old);
    else turn(view, event.offsetX - before.offsetX, event.offsetY - before.offsetY);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
  }
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(view, Math.exp(-0.0015 * event.deltaY));
  }, { passive: false });
  canvas.addEventListener("dblclick", reset);
  canvas.addEventListener("keydown", (event) => {
    const keys = {
      ArrowLeft: () => turn(view, -8, 0), ArrowRight: () => turn(view, 8, 0),
      ArrowUp: () => turn(view, 0, -8), ArrowDown: () => turn(view, 0, 8),
      "+": () => zoom(view, 1.15), "=": () => zoom(view, 1.15), "-": () => zoom(view, 1 / 1.15),
      l: () => element("log").click(), Home: reset,
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });
}

function setUp() {
  const chosen = data.first;
  ["left", "right"].forEach((id, index) => {
    const select = element(id);
    if (index) select.add(new Option("none", ""));
    data.surfaces.forEach((surface, number) => select.add(new Option(surface.name, String(number))));
    const number = chosen[index] === undefined ? "" : String(chosen[index]);
    select.value = number;
    choose(index, number);
    select.addEventListener("change", () => { choose(index, select.value); draw(); });
  });
  element("log").checked = state.log;
  element("log").addEventListener("change", (event) => { state.log = event.target.checked; draw(); });
  element("cap").value = state.cap === null ? "" : state.cap;
  element("cap").addEventListener("input", (event) => {
    state.cap = event.target.value === "" ? null : Number(event.target.value);
    draw();
  });
  element("linked").addEventListener("change", (event) => { state.linked = event.target.checked; });
  element("reset").addEventListener("click", reset);
  views.forEach(listen);
  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
  if (location.hash === "#selftest") selfTest();
}
