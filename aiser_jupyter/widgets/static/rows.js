// The rows of a grid: the first ones came with the widget, the others are asked for in blocks.

const KEEP_BLOCKS = 60;
const PATIENCE = 1500; // ms until the reader is told that the kernel is busy
const DOUBT = 8000; // ms more until the reader is told that it may be another kernel by now
const ASK_AGAIN = 5000; // ms until a block that did not come is asked for once more

class Rows {
  constructor(model, changed, say) {
    this.model = model;
    this.changed = changed;
    this.say = say;
    this.count = model.get("rows");
    this.block = model.get("block");
    this.head = model.get("head");
    this.sort = null;
    this.blocks = new Map();
    this.asked = new Map();
    this.released = false;
  }

  // The cells of a row by column: text, null for NULL; undefined while they are on their way.
  cell(row, column) {
    if (!this.sort && row < (this.head[0]?.length ?? 0)) return this.head[column][row];
    const block = this.blocks.get(Math.floor(row / this.block));
    return block?.[column]?.[row % this.block];
  }

  want(first, last) {
    if (!this.sort && last < (this.head[0]?.length ?? 0)) return;
    for (let block = Math.floor(first / this.block); block <= Math.floor(last / this.block); block++) {
      if (this.blocks.has(block) || Date.now() - (this.asked.get(block) ?? 0) < ASK_AGAIN) continue;
      this.asked.set(block, Date.now());
      this.send({ kind: "window", start: block * this.block, count: this.block, sort: this.sort });
    }
  }

  send(message) {
    if (this.released) return;
    this.wait();
    try {
      this.model.send(message);
    } catch {
      this.released = true;
      clearTimeout(this.waiting);
      this.say("The kernel no longer holds this result; run the cell again.");
    }
  }

  wait() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      this.say("Waiting for the kernel…");
      const doubt = "The kernel has not answered. If it was restarted, run the cell again.";
      this.waiting = setTimeout(() => this.say(doubt), DOUBT);
    }, PATIENCE);
  }

  order(sort) {
    this.sort = sort;
    this.blocks.clear();
    this.asked.clear();
  }

  receive(message) {
    clearTimeout(this.waiting);
    if (message.kind === "error") this.asked.clear();
    if (message.kind !== "window" || JSON.stringify(message.sort) !== JSON.stringify(this.sort)) return;
    const block = message.start / this.block;
    this.asked.delete(block);
    this.blocks.set(block, message.cells);
    if (this.blocks.size > KEEP_BLOCKS) this.blocks.delete(this.blocks.keys().next().value);
    if (this.asked.size) this.wait();
    else this.say("");
    this.changed();
  }
}
