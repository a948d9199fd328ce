// Draws the mixed image of a box and the teacher's answer to it; sliders, arrow keys and the pointer move the box.
(() => {
  const root = document.currentScript.parentElement;
  const { images, boxes, threshold } = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const canvas = root.querySelector("canvas"), paint = canvas.getContext("2d");
  const [left, top, size] = ["left", "top", "size"].map((name) => root.querySelector(`[name=${name}]`));
  const sizes = [...new Set(boxes.map((box) => box.size))];
  const places = (name) => [...new Set(boxes.filter((box) => box.size === sizes[size.value]).map((box) => box[name]))];
  const pictures = images.map((address) => Object.assign(new Image(), { src: address }));

  function show() {
    for (const slider of [left, top]) slider.max = places(slider.name).length - 1;
    const at = { size: sizes[size.value], left: places("left")[left.value], top: places("top")[top.value] };
    const box = boxes.find((each) => each.size === at.size && each.left === at.left && each.top === at.top);
    const side = pictures[0].naturalWidth, scale = canvas.width / side;
    paint.imageSmoothingEnabled = false;
    paint.drawImage(pictures[0], 0, 0, canvas.width, canvas.height);
    paint.drawImage(pictures[1], box.left, box.top, box.size, box.size,
      ...[box.left, box.top, box.size, box.size].map((length) => length * scale));
    paint.lineWidth = 2;
    paint.strokeStyle = "#e8590c";
    paint.strokeRect(...[box.left, box.top, box.size, box.size].map((length) => length * scale));
    const kept = box.entropy >= threshold;
    root.querySelector("p").innerHTML = `entropy ${box.entropy.toFixed(2)} nats, ` +
      (kept ? `at least ${threshold.toFixed(2)}: <b>picked</b>` : `below ${threshold.toFixed(2)}: <b>left out</b>`);
    root.querySelector("ol").innerHTML = box.classes.map(([name, p]) =>
      `<li><span style="width: ${100 * p}%"></span>${name} ${p.toFixed(2)}</li>`).join("");
    for (const slider of [left, top]) slider.setAttribute("aria-valuetext", `${at[slider.name]} pixels`);
    size.setAttribute("aria-valuetext", `${at.size} of ${side} pixels`);
  }

  function follow(event) {
    if (!event.buttons) return;
    const box = canvas.getBoundingClientRect(), side = pictures[0].naturalWidth;
    for (const [slider, part] of [[left, (event.clientX - box.left) / box.width], [top, (event.clientY - box.top) / box.height]]) {
      const wanted = part * side - sizes[size.value] / 2, each = places(slider.name);
      slider.value = each.indexOf(each.reduce((a, b) => (Math.abs(b - wanted) < Math.abs(a - wanted) ? b : a)));
    }
    show();
  }

  size.max = sizes.length - 1;
  size.value = Math.floor(sizes.length / 2);
  for (const slider of [left, top]) slider.max = places(slider.name).length - 1;
  for (const slider of [left, top]) slider.value = Math.floor(slider.max / 2);
  for (const slider of [left, top, size]) slider.addEventListener("input", show);
  for (const kind of ["pointerdown", "pointermove"]) canvas.addEventListener(kind, follow);
  Promise.all(pictures.map((picture) => picture.decode())).then(show);
})();
