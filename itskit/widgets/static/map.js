// Paints a weight over the canvas. Joined behind chart.js, which brings make().

const asBytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

function mapRender({ model, el }) {
  const [rows, columns] = model.get("size");
  const canvas = make("canvas", { width: columns, height: rows, class: "its-paint", tabindex: 0, role: "img",
    "aria-label": "Map of weights: amber where the picture wins, teal where the sound wins. Use the buttons to fill it." });
  const ground = make("img", { alt: "", class: "its-ground" });
  const box = make("div", { class: "its-frame its-map", style: `aspect-ratio: ${columns} / ${rows}` }, ground, canvas);
  const value = make("input", { type: "range", class: "its-range", min: 0, max: 1, step: 0.05, value: 1, "aria-label": "Weight to paint: 0 sound, 1 picture" });
  const size = make("input", { type: "range", class: "its-range", min: 1, max: Math.round(rows / 2), step: 1, value: Math.round(rows / 6), "aria-label": "Size of the brush" });
  const fills = make("div", { class: "its-tracks", role: "group", "aria-label": "Fill" });
  for (const [name, v] of [["all sound", 0], ["half and half", 0.5], ["all picture", 1]]) {
    const button = make("button", { type: "button", text: name });
    button.addEventListener("click", () => {
      map.fill(Math.round(v * 255));
      draw();
      write();
    });
    fills.append(button);
  }
  const root = make("div", { class: "its-scrubber its-tool", role: "group", "aria-label": "Where the picture should win", "data-lm-suppress-shortcuts": "true" },
    box, make("div", { class: "its-controls" },
      make("label", { class: "its-volume" }, make("span", { text: "sound" }), value, make("span", { text: "picture" })),
      make("label", { class: "its-volume" }, make("span", { text: "brush" }), size), fills));
  const ink = canvas.getContext("2d");
  let map = asBytes(model.get("pixels")).slice();

  function draw() {
    const image = ink.createImageData(columns, rows);
    map.forEach((v, i) => {
      const lean = v / 127.5 - 1; // -1 sound, 1 picture
      const tone = lean > 0 ? [239, 174, 90] : [103, 195, 214];
      image.data.set([...tone, Math.round(150 * Math.abs(lean))], 4 * i);
    });
    ink.putImageData(image, 0, 0);
  }
  function write() {
    model.set("pixels", new DataView(map.slice().buffer));
    model.save_changes();
  }
  function dab(x, y) {
    const radius = Number(size.value);
    for (let r = Math.max(0, Math.floor(y - radius)); r <= Math.min(rows - 1, y + radius); r++)
      for (let c = Math.max(0, Math.floor(x - radius)); c <= Math.min(columns - 1, x + radius); c++) {
        const soft = Math.min(1, 2 * (1 - Math.hypot(c - x, r - y) / radius));
        if (soft <= 0 && radius > 1) continue;
        const i = r * columns + c;
        map[i] = Math.round(map[i] + (255 * value.value - map[i]) * Math.max(soft, radius > 1 ? 0 : 1));
      }
  }
  let before = null;
  const place = (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return { x: ((event.clientX - left) / width) * columns, y: ((event.clientY - top) / height) * rows };
  };
  const stroke = (event) => {
    const now = place(event);
    const from = before || now;
    const count = Math.ceil(Math.hypot(now.x - from.x, now.y - from.y)) || 1;
    for (let k = 1; k <= count; k++) dab(from.x + ((now.x - from.x) * k) / count - 0.5, from.y + ((now.y - from.y) * k) / count - 0.5);
    before = now;
    draw();
  };
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    stroke(event);
  });
  canvas.addEventListener("pointermove", (event) => before && stroke(event));
  for (const end of ["pointerup", "pointercancel"])
    canvas.addEventListener(end, () => {
      if (before) write();
      before = null;
    });
  const show = () => {
    const bytes = model.get("ground");
    ground.hidden = !bytes.byteLength;
    if (bytes.byteLength) ground.src = URL.createObjectURL(new Blob([asBytes(bytes)], { type: "image/png" }));
  };
  const changed = () => {
    map = asBytes(model.get("pixels")).slice();
    draw();
  };
  model.on("change:ground", show);
  model.on("change:pixels", changed);
  show();
  draw();
  el.replaceChildren(root);
  const stopTheme = followTheme(root);
  return () => {
    stopTheme();
    model.off("change:ground", show);
    model.off("change:pixels", changed);
  };
}

export default { render: mapRender };
