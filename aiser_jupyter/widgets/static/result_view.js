// The view: the grid, and under it which engine ran, why, and how long each part took.
//
// The widget sends `page.js`, `rows.js`, `grid.js` and this file as one module.

function badges(host, remarks) {
  for (const remark of remarks) {
    const badge = part(host, "div", `aiser-badge aiser-badge-${remark.label}`);
    part(badge, "span", "aiser-badge-label", remark.label);
    part(badge, "span", "", remark.text);
  }
}

// Seconds by part as one bar; the legend says the same in words.
function timing(host, summary) {
  const total = summary.parts.reduce((sum, each) => sum + each.seconds, 0);
  if (!total) return;
  const line = part(host, "div", "aiser-timing");
  const bar = part(line, "div", "aiser-bar");
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", summary.parts.map((each) => `${each.name} ${each.label}`).join(", "));
  const legend = part(line, "div", "aiser-legend");
  for (const each of summary.parts) {
    const percent = (100 * each.seconds) / total;
    const piece = part(bar, "span", `aiser-part aiser-part-${each.name}`);
    piece.style.flexGrow = String(percent);
    piece.title = `${each.name}: ${each.label}, ${percent.toFixed(0)} %`;
    const entry = part(legend, "span", "aiser-legend-entry");
    entry.title = piece.title;
    part(entry, "span", `aiser-swatch aiser-part-${each.name}`);
    part(entry, "span", "", `${each.name} ${each.label}`);
  }
}

function candidate(found) {
  const row = element("tr", found.chosen ? "aiser-chosen" : found.feasible ? "" : "aiser-not");
  const name = part(row, "td", "", found.engine);
  if (found.chosen) part(name, "span", "aiser-tag", "chosen");
  const expected = found.feasible ? found.expected || "unknown" : "cannot";
  part(row, "td", "aiser-right", expected);
  for (const value of [found.rows, found.bytes]) part(row, "td", "aiser-right", value || "–");
  const reason = part(row, "td", "aiser-reason", found.reason);
  if (found.unknown) part(reason, "div", "aiser-unknown", `not known: ${found.unknown}`);
  return row;
}

function engines(host, summary) {
  if (!summary.candidates.length) return;
  const details = part(host, "details", "aiser-route");
  const title = summary.pinned ? `${summary.engine} was asked for` : `Why ${summary.engine}`;
  const others = summary.candidates.length - 1;
  part(details, "summary", "", others ? `${title}, and what the others were expected to take` : title);
  const frame = part(details, "div", "aiser-scroll");
  const table = part(frame, "table", "aiser-candidates");
  const head = part(part(table, "thead"), "tr");
  for (const [index, name] of ["engine", "expected", "rows", "bytes", "reason"].entries())
    part(head, "th", index > 0 && index < 4 ? "aiser-right" : "", name).scope = "col";
  part(table, "tbody").append(...summary.candidates.map(candidate));
}

function render({ model, el }) {
  const summary = model.get("summary");
  const root = part(el, "div", "aiser-view tex2jax_ignore mathjax_ignore");
  const stage = part(root, "div", "aiser-stage");
  const foot = part(root, "div", "aiser-foot");
  const said = element("div", "aiser-said");
  said.setAttribute("role", "status");
  const say = (text) => (said.textContent = text);
  const grid = model.get("columns").length ? new Grid(model, stage, say) : null;
  const status = part(foot, "div", "aiser-status");
  part(status, "strong", "", summary.engine);
  status.append(summary.status.slice(summary.engine.length));
  foot.append(said);
  badges(foot, summary.remarks);
  timing(foot, summary);
  engines(foot, summary);
  const receive = (message) => grid?.receive(message);
  model.on("msg:custom", receive);
  return () => {
    model.off("msg:custom", receive);
    grid?.close();
  };
}

export default { render };
