// The grid: rows stay in the kernel, the browser asks for windows of them.
//
// Every value is set with textContent, as text that the kernel formatted. Only the visible rows are elements; the
// scroll bar says which rows those are, so ten million cost no more than twenty.

const ROW = 24; // px, as in the style sheet
const HEAD = 40;
const MAX_ROWS = 14; // visible at once
const MAX_SPACE = 8_000_000; // px; browsers stop near 33 million

class Grid {
  constructor(model, host, say) {
    this.columns = model.get("columns");
    this.say = say;
    this.rows = new Rows(model, () => this.grow(), say);
    this.sized = new Set(); // columns that the reader gave a width
    this.first = 0;
    this.top = 0;
    this.pool = [];
    this.active = null; // [row, column]
    this.anchor = null;
    this.id = `aiser-${Math.random().toString(36).slice(2)}`;
    this.build(host);
    this.widths = null; // known once the page has given the grid its font
    this.listen();
  }

  build(host) {
    this.root = part(host, "div", "aiser-grid");
    this.root.tabIndex = 0;
    this.root.dataset.lmSuppressShortcuts = "true"; // arrows move in the grid, not between notebook cells
    this.root.setAttribute("role", "grid");
    this.root.setAttribute("aria-label", "Query result");
    this.root.setAttribute("aria-rowcount", String(this.rows.count + 1));
    this.root.setAttribute("aria-colcount", String(this.columns.length));
    this.root.setAttribute("aria-multiselectable", "true");
    this.head = part(this.root, "div", "aiser-grid-head");
    this.head.setAttribute("role", "row");
    this.head.setAttribute("aria-rowindex", "1");
    part(this.head, "div", "aiser-grid-number").setAttribute("role", "presentation");
    this.headers = this.columns.map((column, index) => this.header(column, index));
    this.space = part(this.root, "div", "aiser-grid-space");
    this.space.setAttribute("role", "rowgroup");
    this.space.style.height = `${Math.min(this.rows.count * ROW, MAX_SPACE)}px`;
    this.body = part(this.space, "div", "aiser-grid-body");
    this.body.setAttribute("role", "presentation");
  }

  header(column, index) {
    const node = part(this.head, "div", column.number ? "aiser-grid-name aiser-right" : "aiser-grid-name");
    node.setAttribute("role", "columnheader");
    node.setAttribute("aria-colindex", String(index + 1));
    node.title = `${column.name}\n${column.type}\nClick to sort by value`;
    const name = part(node, "div", "aiser-grid-title");
    part(name, "span", "aiser-grid-text", column.name);
    part(name, "span", "aiser-grid-arrow");
    part(node, "div", "aiser-grid-type", column.type);
    const grip = part(node, "div", "aiser-grid-grip");
    grip.title = "Drag to resize; double-click to fit";
    grip.addEventListener("pointerdown", (event) => this.resize(event, grip, index));
    grip.addEventListener("click", (event) => event.stopPropagation());
    grip.addEventListener("dblclick", () => this.refit(index));
    node.addEventListener("click", () => this.sortBy(index));
    return node;
  }

  // Widths from the first rows, as the browser draws them.
  measure() {
    const pen = document.createElement("canvas").getContext("2d");
    const style = getComputedStyle(this.root);
    const plain = `${style.fontSize || "13px"} ${style.fontFamily || "monospace"}`;
    return this.columns.map((column, index) => {
      pen.font = `600 ${plain}`;
      let width = pen.measureText(column.name).width + 14;
      pen.font = plain;
      width = Math.max(width, pen.measureText(column.type).width * 0.9);
      for (let row = this.first; row < this.first + 50; row++) {
        const text = this.rows.cell(row, index);
        if (text === undefined) continue;
        width = Math.max(width, pen.measureText(text ?? "NULL").width);
      }
      return Math.ceil(Math.min(Math.max(width + 24, 56), 320));
    });
  }

  // A number is not cut where the reader did not ask for it: its end may be the exponent.
  grow() {
    if (!this.widths) return;
    const now = this.measure();
    const grows = (index) => this.columns[index].number && !this.sized.has(index);
    this.widths = this.widths.map((width, index) => (grows(index) ? Math.max(width, now[index]) : width));
    this.layout();
  }

  refit(index) {
    this.sized.delete(index);
    this.widths[index] = this.measure()[index];
    this.layout();
  }

  resize(event, grip, index) {
    event.preventDefault();
    event.stopPropagation();
    const from = event.clientX;
    const width = this.widths[index];
    this.sized.add(index);
    const move = (moved) => {
      this.widths[index] = Math.max(36, width + moved.clientX - from);
      this.layout();
    };
    grip.setPointerCapture(event.pointerId);
    grip.addEventListener("pointermove", move);
    grip.addEventListener("lostpointercapture", () => grip.removeEventListener("pointermove", move), {
      once: true,
    });
  }

  // Sizes: as tall as its rows up to a limit, as wide as its columns up to the page.
  layout() {
    const number = Math.max(34, String(this.rows.count).length * 8 + 16);
    const total = this.widths.reduce((sum, width) => sum + width, number);
    this.root.style.setProperty("--aiser-columns", [number, ...this.widths].map((w) => `${w}px`).join(" "));
    const shown = Math.min(this.rows.count, MAX_ROWS);
    const tall = this.rows.count > shown;
    const bar = tall ? Math.max(0, this.root.offsetWidth - this.root.clientWidth - 2) : 0;
    this.root.style.width = `${total + bar + 2}px`;
    const wide = total > this.root.clientWidth + 1;
    this.root.style.overflowY = tall ? "scroll" : "hidden";
    this.root.style.overflowX = wide ? "scroll" : "hidden";
    const under = wide ? Math.max(0, this.root.offsetHeight - this.root.clientHeight - 2) : 0;
    this.root.style.height = `${HEAD + shown * ROW + under + 2}px`;
    this.fill(shown);
    this.draw();
  }

  fill(count) {
    this.body.style.height = `${count * ROW}px`;
    while (this.pool.length < count) {
      const row = part(this.body, "div", "aiser-grid-row");
      row.setAttribute("role", "row");
      const number = part(row, "div", "aiser-grid-number");
      number.setAttribute("role", "rowheader");
      const cells = this.columns.map((column, index) => {
        const cell = part(row, "div");
        cell.setAttribute("role", "gridcell");
        cell.setAttribute("aria-colindex", String(index + 1));
        return cell;
      });
      this.pool.push({ row, number, cells });
    }
  }

  draw() {
    const last = this.rows.count - this.pool.length;
    this.first = Math.min(Math.max(0, this.first), Math.max(0, last));
    this.pool.forEach((line, offset) => this.drawRow(line, this.first + offset));
    const here = this.active && this.pool[this.active[0] - this.first]?.cells[this.active[1]];
    if (here) this.root.setAttribute("aria-activedescendant", here.id);
    else this.root.removeAttribute("aria-activedescendant");
    clearTimeout(this.asking);
    this.asking = setTimeout(() => {
      if (this.pool.length) this.rows.want(this.first, this.first + this.pool.length - 1);
    }, 40);
  }

  drawRow(line, row) {
    line.row.setAttribute("aria-rowindex", String(row + 2));
    line.row.classList.toggle("aiser-even", row % 2 === 1);
    line.number.textContent = (row + 1).toLocaleString("en");
    const box = this.selection();
    line.cells.forEach((cell, column) => {
      const text = this.rows.cell(row, column);
      const inside =
        box && row >= box.top && row <= box.bottom && column >= box.left && column <= box.right;
      const active = this.active?.[0] === row && this.active[1] === column;
      cell.id = `${this.id}-${row}-${column}`;
      cell.textContent = text === undefined ? "…" : (text ?? "NULL");
      cell.title = text && text.length > 12 ? text : "";
      cell.className =
        "aiser-grid-cell" +
        (this.columns[column].number ? " aiser-right" : "") +
        (text === null ? " aiser-null" : text === undefined ? " aiser-loading" : "") +
        (inside ? " aiser-selected" : "") +
        (active ? " aiser-active" : "");
      cell.setAttribute("aria-selected", String(Boolean(inside)));
    });
  }

  // ---- sorting

  sortBy(column) {
    const now = this.rows.sort;
    const next = now?.[0] !== column ? [column, false] : now[1] ? null : [column, true];
    this.order(next);
    if (next) this.say(`Sorting ${this.rows.count.toLocaleString("en")} rows…`);
  }

  order(sort) {
    this.rows.order(sort);
    this.headers.forEach((header, index) => {
      const mine = sort?.[0] === index;
      header.setAttribute("aria-sort", mine ? (sort[1] ? "descending" : "ascending") : "none");
      header.querySelector(".aiser-grid-arrow").textContent = mine ? (sort[1] ? " ▼" : " ▲") : "";
    });
    this.say("");
    this.scrollTo(0);
    this.draw();
  }

  // ---- moving and selecting

  selection() {
    if (!this.active || !this.anchor) return null;
    const [[a, b], [c, d]] = [this.active, this.anchor];
    return { top: Math.min(a, c), bottom: Math.max(a, c), left: Math.min(b, d), right: Math.max(b, d) };
  }

  select(row, column, extend) {
    this.active = [
      Math.min(Math.max(0, row), this.rows.count - 1),
      Math.min(Math.max(0, column), this.columns.length - 1),
    ];
    if (!extend || !this.anchor) this.anchor = this.active;
    this.reveal();
    this.draw();
  }

  reveal() {
    const [row, column] = this.active;
    if (row < this.first) this.scrollTo(row);
    if (row >= this.first + this.pool.length) this.scrollTo(row - this.pool.length + 1);
    const fixed = this.headers[0].offsetLeft;
    const left = this.headers[column].offsetLeft;
    const right = left + this.widths[column];
    if (left - fixed < this.root.scrollLeft) this.root.scrollLeft = left - fixed;
    if (right > this.root.scrollLeft + this.root.clientWidth)
      this.root.scrollLeft = right - this.root.clientWidth;
  }

  scrollTo(row) {
    const last = this.rows.count - this.pool.length;
    this.first = Math.min(Math.max(0, row), Math.max(0, last));
    const range = this.root.scrollHeight - this.root.clientHeight;
    this.top = last > 0 ? (this.first / last) * range : 0;
    this.placed = true; // the scroll event that follows must not round the row away
    this.root.scrollTop = this.top;
  }

  scrolled() {
    if (!this.root.clientHeight) return; // taken off the page
    const range = this.root.scrollHeight - this.root.clientHeight;
    const last = this.rows.count - this.pool.length;
    this.top = this.root.scrollTop;
    if (!this.placed) this.first = range > 0 ? Math.round(Math.min(1, this.top / range) * last) : 0;
    this.placed = false;
    this.draw();
  }

  key(event) {
    const command = event.ctrlKey || event.metaKey;
    const [row, column] = this.active ?? [this.first, 0];
    const page = Math.max(1, this.pool.length - 1);
    const end = [this.rows.count - 1, this.columns.length - 1];
    const moves = {
      ArrowDown: [command ? end[0] : row + 1, column],
      ArrowUp: [command ? 0 : row - 1, column],
      ArrowRight: [row, command ? end[1] : column + 1],
      ArrowLeft: [row, command ? 0 : column - 1],
      PageDown: [row + page, column],
      PageUp: [row - page, column],
      Home: [command ? 0 : row, 0],
      End: [command ? end[0] : row, end[1]],
    };
    if (moves[event.key] && !event.altKey) this.select(...moves[event.key], event.shiftKey);
    else if (command && event.key === "c") this.copy();
    else if (command && event.key === "a") this.selectAll();
    else if (event.key === "Enter" && this.active) this.sortBy(this.active[1]);
    else if (event.key === "Escape" && this.active) this.clear();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  selectAll() {
    this.anchor = [0, 0];
    this.active = [this.rows.count - 1, this.columns.length - 1];
    this.draw();
  }

  clear() {
    this.active = this.anchor = null;
    this.draw();
  }

  copy() {
    const box = this.selection();
    if (!box) return;
    this.copying = true;
    this.say("Copying…");
    this.rows.send({
      kind: "copy",
      sort: this.rows.sort,
      first_row: box.top,
      last_row: box.bottom,
      first_column: box.left,
      last_column: box.right,
    });
  }

  // ---- events

  listen() {
    this.root.addEventListener("scroll", () => requestAnimationFrame(() => this.scrolled()), { passive: true });
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("pointerdown", (event) => this.press(event));
    this.body.addEventListener("pointermove", (event) => {
      if (event.buttons !== 1 || !this.dragging) return;
      const at = this.at(event.target);
      if (at && String(at) !== String(this.active)) this.select(...at, true);
    });
    this.body.addEventListener("pointerup", () => (this.dragging = false));
    this.watch = new ResizeObserver(() => {
      if (!this.root.isConnected || !this.root.offsetWidth) return;
      this.widths ??= this.measure();
      this.layout();
      if (Math.abs(this.root.scrollTop - this.top) > 1) this.scrollTo(this.first); // back on the page
    });
    this.watch.observe(this.root.parentElement);
  }

  press(event) {
    const at = this.at(event.target);
    if (!at || event.button !== 0) return;
    this.dragging = true;
    this.root.focus({ preventScroll: true });
    this.select(...at, event.shiftKey);
  }

  at(node) {
    const offset = this.pool.findIndex((line) => line.row.contains(node));
    const column = offset < 0 ? -1 : this.pool[offset].cells.indexOf(node);
    return column < 0 ? null : [this.first + offset, column];
  }

  receive(message) {
    if (message?.kind === "copied" && this.copying) this.paste(message);
    else if (message?.kind === "error") {
      if (this.rows.sort && !this.copying) this.order(null);
      this.copying = false;
      this.say(message.message);
    } else if (message?.kind === "released") {
      this.rows.released = true;
      this.say(message.message);
    }
    this.rows.receive(message ?? {});
  }

  async paste(message) {
    this.copying = false;
    const done = await toClipboard(message.text);
    const size = `${message.rows.toLocaleString("en")} × ${message.columns}`;
    const rest = message.left_out ? `; ${message.left_out.toLocaleString("en")} rows were too many` : "";
    this.say(done ? `Copied ${size}${rest}` : "The browser did not allow copying.");
    this.root.focus({ preventScroll: true });
  }

  close() {
    this.watch.disconnect();
    clearTimeout(this.asking);
    clearTimeout(this.rows.waiting);
  }
}
