// Forms of a song's page are sent without leaving it, so that what plays goes on playing.
import { apply, parse } from "./refresh.js";

const TROUBLE = "The page could not reach the console. Nothing was lost: try again.";

function newRequestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

function tellProblem(form, problem) {
  form.querySelector("[data-refusal]")?.remove();
  const box = document.createElement("div");
  box.className = "notice bad";
  box.dataset.refusal = "";
  box.setAttribute("role", "alert");
  if (typeof problem === "string") {
    box.textContent = problem;
  } else {
    for (const part of problem.querySelectorAll("h1, p:not(.row), ul")) {
      const copy = part.tagName === "H1" ? document.createElement("b") : document.importNode(part, true);
      if (part.tagName === "H1") copy.textContent = part.textContent;
      box.append(copy);
    }
  }
  form.append(box);
}

async function send(form, submitter) {
  const fields = new URLSearchParams(new FormData(form, submitter));
  form.setAttribute("aria-busy", "true");
  const buttons = [...form.querySelectorAll("button")];
  for (const button of buttons) button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: fields });
    const page = parse(await answer.text());
    const problem = page.querySelector("[data-problem]");
    if (problem || !answer.ok) {
      tellProblem(form, problem ?? TROUBLE);
      return;
    }
    form.reset();
    form.querySelector("[data-refusal]")?.remove();
    form.elements.request_id.value = newRequestId();
    document.activeElement?.blur();
    document.getElementById("flash").textContent = page.getElementById("flash")?.textContent ?? "";
    form.dispatchEvent(new CustomEvent("tapelog:sent", { bubbles: true }));
    const details = form.closest("details.action");
    if (details) details.open = false;
    apply(page);
  } catch {
    tellProblem(form, TROUBLE);
  } finally {
    form.removeAttribute("aria-busy");
    for (const button of buttons) button.disabled = false;
  }
}

export function startForms() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-inline]")) return;
    event.preventDefault();
    if (form.getAttribute("aria-busy") !== "true") send(form, event.submitter);
  });
  document.addEventListener("change", (event) => event.target.closest("[data-compare]")?.requestSubmit());
  const flashed = new URL(window.location.href);
  if (flashed.searchParams.has("done")) {
    flashed.searchParams.delete("done");
    window.history.replaceState(null, "", flashed);
  }
}
