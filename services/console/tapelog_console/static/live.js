// One event stream: the page hears that something changed, and reads itself again from where it was.
import { refresh } from "./refresh.js";

const RETRY_MS = 5000;

let source = null;
let cursor = "";

function say(text, state) {
  const place = document.getElementById("live");
  if (!place || (place.textContent === text && place.classList.contains(state))) return;
  place.textContent = text;
  place.className = `live ${state}`;
}

function showProgress(told) {
  const row = document.querySelector(`[data-job="${CSS.escape(told.job)}"]`);
  if (!row) {
    if (!told.ended) refreshNow();
    return;
  }
  row.querySelector("progress").value = told.ended ? 100 : told.percent;
  row.querySelector("[data-progress-text]").textContent = told.ended ? told.text : `${told.percent} %, ${told.text}`;
}

function refreshNow() {
  refresh().catch(() => say("cannot be read again: load the page anew", "off"));
}

function open() {
  if (source || document.hidden) return;
  const address = new URL(document.body.dataset.events, window.location.href);
  if (cursor) address.searchParams.set("after", cursor);
  source = new EventSource(address);
  source.addEventListener("open", () => say("live", "on"));
  source.addEventListener("changed", (event) => {
    cursor = event.lastEventId || cursor;
    refreshNow();
  });
  source.addEventListener("progress", (event) => showProgress(JSON.parse(event.data)));
  source.addEventListener("ended", (event) => {
    close();
    say(JSON.parse(event.data).message, "off");
  });
  source.addEventListener("error", () => {
    say("connecting again…", "off");
    if (source && source.readyState === EventSource.CLOSED) {
      close();
      window.setTimeout(open, RETRY_MS);
    }
  });
}

function close() {
  source?.close();
  source = null;
}

export function startLive() {
  if (!document.body.dataset.events) return;
  cursor = document.body.dataset.cursor ?? "";
  open();
  // A page that nobody sees lets go of its connection, and takes up where it was when it is seen again.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
}
