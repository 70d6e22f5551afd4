// With the fragment #selftest the page works its own controls and writes down what came of it.

function pictureHash(canvas) {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let hash = 2166136261; // FNV-1a
  for (const value of pixels) hash = Math.imul(hash ^ value, 16777619) >>> 0;
  return hash;
}

function selfTest() {
  const pictures = () => views.filter((view) => view.surface).map((view) => pictureHash(view.canvas));
  const cameras = () => views.map((view) => ({ ...view.camera }));
  const key = (name) => views[0].canvas.dispatchEvent(new KeyboardEvent("keydown", { key: name }));
  const found = { start: pictures() };
  element("log").click();
  found.scaleToggled = pictures();
  element("log").click();
  found.scaleBack = pictures();
  key("ArrowRight");
  found.turned = pictures();
  found.linkedCameras = cameras();
  element("reset").click();
  found.reset = pictures();
  key("+");
  found.zoomed = pictures();
  element("reset").click();
  element("linked").click();
  key("ArrowLeft");
  found.unlinkedCameras = cameras();
  element("reset").click();
  const middle = views[0].points.find((point) => point);
  read(views[0], middle.x, middle.y);
  found.readout = views[0].readout.textContent;
  found.sums = data.surfaces.map((surface) => surface.loss.reduce((sum, loss) => sum + (loss ?? 0), 0));
  found.right = element("right").value;
  element("selftest").textContent = JSON.stringify(found);
  document.body.dataset.selftest = "done";
}

setUp();
