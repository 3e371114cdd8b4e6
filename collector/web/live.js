// Follows the collector's stream of notices and shows the newest. A cookie says who asks. What hosts
// say is put into the page as text and never as markup, with what would hide in it shown.

/** Rows that are kept; older ones go. */
const ROWS_MAX = 400;
/** Notices that wait while the page is paused; older ones are only counted. */
const WAITING_MAX = 400;
/** Characters of a row. */
const CHARS_MAX = 400;
/** After a stream that the collector ended for good, another try. */
const AGAIN_MS = 5000;

const [rows, link, pause, quiet, count] = ["rows", "link", "pause", "quiet", "count"].map((id) =>
  document.getElementById(id),
);
let waiting = [];
let unseen = 0;
let total = 0;
let isPaused = false;

/** A text in one line that hides nothing. */
function said(text) {
  const shown = String(text ?? "").replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (it) => `\\u{${it.codePointAt(0).toString(16)}}`,
  );
  return shown.length > CHARS_MAX ? `${shown.slice(0, CHARS_MAX)}…` : shown;
}

/** What of an event is told in one line. */
function ofEvent(it) {
  const who = it.process?.name ?? it.actor?.process?.name ?? "";
  const what =
    it.cordon_cmd_line ??
    it.cordon_file_path ??
    (it.cordon_dst_ip ? `${it.cordon_dst_ip}:${it.cordon_dst_port ?? ""}` : undefined) ??
    it.cordon_dns_name ??
    it.message ??
    "";
  const at = Number.isFinite(it.time) ? new Date(it.time).toISOString() : "";
  return [at, it.cordon_host_name, it.activity_name, `${who} ${what}`.trim()];
}

/** The four cells of a notice. */
function cells(kind, it) {
  const now = new Date().toISOString();
  switch (kind) {
    case "event":
      return ofEvent(it);
    case "detection":
      return [it.last ?? now, it.agent_id, `detection, ${it.severity}`, `${it.title}: ${it.summary}`];
    case "incident":
      return [now, it.agent_id, `incident, ${it.severity}`, it.title];
    case "command":
      return [now, it.agent_id, `command, ${it.state ?? ""}`, it.summary];
    case "receipt":
      return [now, it.agent_id, `receipt, ${it.verdict}`, it.detail];
    default:
      return [now, "", kind, `${it.count} notices were missed: this page was too slow`];
  }
}

function show(kind, it) {
  const row = document.createElement("tr");
  row.className = kind;
  for (const [index, text] of cells(kind, it).entries()) {
    const cell = row.insertCell();
    cell.textContent = index === 0 ? said(text).replace("T", " ").replace("Z", "") : said(text);
    if (index === 3 && /^[0-9a-f-]{36}$/.test(it.incident_id ?? "")) {
      const to = document.createElement("a");
      to.href = `/incidents/${it.incident_id}`;
      to.textContent = " incident";
      cell.append(to);
    }
  }
  rows.prepend(row);
  while (rows.rows.length > ROWS_MAX) rows.deleteRow(-1);
}

function tell() {
  const held = isPaused ? `, ${waiting.length + unseen} since the pause` : "";
  const notices = total === 1 ? "1 notice" : `${total} notices`;
  count.textContent = `${notices}${held}; the newest ${ROWS_MAX} are kept`;
}

function take(kind, text) {
  let it;
  try {
    it = JSON.parse(text);
  } catch {
    return;
  }
  total += 1;
  if (kind !== "event" || !quiet.checked) {
    if (!isPaused) {
      show(kind, it);
    } else {
      waiting.push([kind, it]);
      if (waiting.length > WAITING_MAX) {
        waiting.shift();
        unseen += 1;
      }
    }
  }
  tell();
}

function state(word, tone) {
  link.textContent = word;
  link.className = `badge ${tone}`;
}

function follow() {
  const stream = new EventSource("/api/v1/live");
  stream.onopen = () => state("live", "good");
  stream.onerror = () => {
    // A browser comes back by itself, unless the answer was a refusal.
    if (stream.readyState === EventSource.CLOSED) {
      state("refused: log in again", "bad");
      setTimeout(follow, AGAIN_MS);
    } else {
      state("connecting", "warn");
    }
  };
  for (const kind of ["event", "detection", "incident", "command", "receipt", "missed"]) {
    stream.addEventListener(kind, (notice) => take(kind, notice.data));
  }
}

pause.addEventListener("click", () => {
  isPaused = !isPaused;
  pause.textContent = isPaused ? "Go on" : "Pause";
  if (!isPaused) {
    for (const [kind, it] of waiting) show(kind, it);
    waiting = [];
    unseen = 0;
  }
  tell();
});

tell();
follow();
