// Putting a newer state of the page in place, region by region, without touching what somebody is typing or hearing.

/** What each region was made of: the ids that make a second click the same request are new in every answer. */
const sources = new WeakMap();
const REQUEST_ID = /(name="request_id" value=")[^"]*/g;
const SOON_MS = 200;

const sourceOf = (region) => region.outerHTML.replace(REQUEST_ID, "$1");

for (const region of document.querySelectorAll("[data-live]")) sources.set(region, sourceOf(region));

/** Whether a region holds words that are not sent yet, the focus of somebody who writes, or a sound that plays. */
function isBusy(region) {
  if ([...region.querySelectorAll("audio")].some((player) => !player.paused)) return true;
  for (const field of region.querySelectorAll("textarea, input:not([type=hidden]):not([type=checkbox])")) {
    if (field === document.activeElement || field.value !== field.defaultValue) return true;
  }
  return false;
}

function openDetails(region) {
  return [...region.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent);
}

let isBehind = false;

/** Replace every live region whose content differs; regions in use wait until whoever uses them leaves them. */
export function apply(newer) {
  for (const region of document.querySelectorAll("[data-live]")) {
    const next = newer.getElementById(region.id);
    if (!next) continue;
    const source = sourceOf(next);
    if (source === sources.get(region)) continue;
    if (isBusy(region)) {
      isBehind = true;
      continue;
    }
    const opened = new Set(openDetails(region));
    const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
    const fresh = document.importNode(next, true);
    sources.set(fresh, source);
    for (const summary of fresh.querySelectorAll("details > summary")) {
      if (opened.has(summary.textContent)) summary.parentElement.open = true;
    }
    region.replaceWith(fresh);
    if (focused) document.getElementById(focused)?.focus();
  }
  document.body.dataset.cursor = newer.body.dataset.cursor ?? document.body.dataset.cursor;
  document.dispatchEvent(new CustomEvent("tapelog:refreshed"));
}

export function parse(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

/** This page's address with the versions it shows: what is decided must stay what is heard when a newer one comes. */
function ownAddress() {
  const address = new URL(window.location.href);
  for (const name of ["version", "against"]) {
    if (document.body.dataset[name]) address.searchParams.set(name, document.body.dataset[name]);
  }
  return address;
}

let running = null;
let again = false;

/** Read the page again and put it in place; calls while one runs make one more after it. */
export function refresh() {
  if (running) {
    again = true;
    return running;
  }
  running = (async () => {
    do {
      again = false;
      const answer = await fetch(ownAddress(), { headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      apply(parse(await answer.text()));
    } while (again);
  })().finally(() => { running = null; });
  return running;
}

document.addEventListener("focusout", () => {
  if (!isBehind) return;
  isBehind = false;
  window.setTimeout(() => refresh().catch(() => {}), SOON_MS);
});
