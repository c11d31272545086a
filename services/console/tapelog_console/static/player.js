// The player: waveform, transport, A/B, keys, and the note at the cursor.
import { Engine, PlainEngine } from "./engine.js";

/** Decoded audio is 8 bytes a stereo frame; two sides of ten minutes at 48 kHz are 460 MB, more than a phone gives. */
const DECODED_BYTES_MAX = 512 * 1024 * 1024;
const CHANNELS = 2;
const BYTES_PER_SAMPLE = 4;
/** Below this many bytes the sound is fetched as soon as the page stands; more waits for the first play. */
const EAGER_BYTES_MAX = 48 * 1024 * 1024;
/** On a narrow screen the first play fetches: it may be a phone that pays for every byte. */
const NARROW = "(max-width: 40rem)";
const LONG_JUMP_S = 5;
const JUMP_S = 1;
const SHORT_JUMP_S = 0.1;
/** A drag shorter than this, in pixels, is a click. */
const DRAG_PX_MIN = 4;

export function timecode(frame, rateHz) {
  const ms = Math.round((frame * 1000) / rateHz);
  const seconds = Math.floor(ms / 1000) % 60;
  return `${Math.floor(ms / 60000)}:${String(seconds).padStart(2, "0")}.${String(ms % 1000).padStart(3, "0")}`;
}

class Player {
  constructor(root) {
    this.root = root;
    this.rateHz = Number(root.dataset.rate);
    this.lengthFrames = Number(root.dataset.length);
    this.buttons = [...root.querySelectorAll("button[data-side]")];
    this.sides = this.buttons.map((button) => ({ url: button.dataset.url, gainDb: Number(button.dataset.gainDb) }));
    this.wave = root.querySelector("[data-wave]");
    this.cursorLine = root.querySelector("[data-cursor-line]");
    this.selectionBox = root.querySelector("[data-selection]");
    this.clock = root.querySelector("[data-clock]");
    this.status = root.querySelector("[data-player-status]");
    this.selection = null;
    this.loading = null;
    this.engine = null;
    this.wantedFrame = 0;
  }

  get frame() {
    return this.engine ? this.engine.frame : this.wantedFrame;
  }

  /** Fetch and decode, once; fall back to the browser's players where that is not possible. */
  load() {
    this.loading ??= this._load().catch((error) => {
      this.loading = null;
      this.status.textContent = "The audio cannot be loaded.";
      throw error;
    });
    return this.loading;
  }

  async _load() {
    const decodedBytes = this.lengthFrames * CHANNELS * BYTES_PER_SAMPLE * this.sides.length;
    const totalBytes = this.buttons.reduce((sum, button) => sum + Number(button.dataset.bytes), 0);
    let engine = null;
    if (window.AudioContext && decodedBytes <= DECODED_BYTES_MAX) {
      try {
        engine = new Engine(this.sides, this.rateHz, this.lengthFrames);
        let doneBytes = 0;
        await engine.load((bytes) => {
          doneBytes += bytes;
          this.status.textContent = `Loading ${Math.round((100 * doneBytes) / totalBytes)} %`;
        });
      } catch {
        engine = null;
      }
    }
    if (!engine) {
      const players = [...this.root.querySelectorAll("[data-audio]")];
      this.root.querySelector("[data-fallback]").classList.add("needed");
      engine = new PlainEngine(players, this.sides, this.rateHz, this.lengthFrames);
    }
    await engine.seek(this.wantedFrame);
    engine.match(this.root.querySelector("[data-match]")?.checked ?? true);
    engine.listenTo(this.active);
    this.engine = engine;
    this.status.textContent = "";
    this.root.dataset.ready = engine.constructor.name;
  }

  get active() {
    return Math.max(this.buttons.findIndex((button) => button.getAttribute("aria-pressed") === "true"), 0);
  }

  async toggle() {
    await this.load();
    if (this.engine.isPlaying) this.engine.pause();
    else await this.engine.play();
    this.draw();
  }

  async seek(frame) {
    this.wantedFrame = Math.min(Math.max(Math.round(frame), 0), this.lengthFrames);
    await this.engine?.seek(this.wantedFrame);
    this.draw();
  }

  /** Hear one side; the time from the key to the scheduled end of the crossfade is noted for whoever measures. */
  listenTo(index, event) {
    if (index < 0 || index >= this.buttons.length) return;
    this.buttons.forEach((button, number) => button.setAttribute("aria-pressed", String(number === index)));
    this.engine?.listenTo(index);
    if (event) this.root.dataset.switchMs = (performance.now() - event.timeStamp).toFixed(2);
  }

  select(fromFrame, toFrame) {
    const begin = Math.max(Math.round(Math.min(fromFrame, toFrame)), 0);
    const end = Math.min(Math.round(Math.max(fromFrame, toFrame)), this.lengthFrames);
    this.selection = end > begin ? [begin, end] : null;
    const share = (frame) => `${(100 * frame) / this.lengthFrames}%`;
    this.selectionBox.setAttribute("x", share(begin));
    this.selectionBox.setAttribute("width", this.selection ? share(end - begin) : "0");
    this.offerToNote();
  }

  /** Put the passage, or the cursor, into the note's form, as exact frames and as times to read. */
  offerToNote() {
    const form = document.querySelector(".note-form");
    if (!form || !form.querySelector("[data-start-frame]")) return;
    const [begin, end] = this.selection ?? [this.frame, this.frame + 1];
    form.querySelector("[data-start-frame]").value = String(begin);
    form.querySelector("[data-end-frame]").value = String(end);
    form.querySelector("[data-note-at]").value = timecode(begin, this.rateHz);
    form.querySelector("[data-note-until]").value = this.selection ? timecode(end, this.rateHz) : "";
  }

  draw() {
    const { frame } = this;
    const share = `${(100 * frame) / Math.max(this.lengthFrames, 1)}%`;
    this.cursorLine.setAttribute("x1", share);
    this.cursorLine.setAttribute("x2", share);
    const text = timecode(frame, this.rateHz);
    if (this.clock.textContent !== text) this.clock.textContent = text;
    this.wave.setAttribute("aria-valuenow", String(frame));
    this.wave.setAttribute("aria-valuetext", text);
    const isPlaying = this.engine?.isPlaying ?? false;
    const button = this.root.querySelector("[data-play]");
    if (button.getAttribute("aria-pressed") !== String(isPlaying)) {
      button.setAttribute("aria-pressed", String(isPlaying));
      button.querySelector("[data-play-icon]").textContent = isPlaying ? "❚❚" : "▶";
      button.querySelector("[data-play-word]").textContent = isPlaying ? "Pause" : "Play";
    }
    if (isPlaying && !this.ticking) {
      this.ticking = true;
      requestAnimationFrame(() => {
        this.ticking = false;
        this.draw();
      });
    }
  }

  frameAt(event) {
    const box = this.wave.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * this.lengthFrames;
  }
}

function listenToPointer(player) {
  let from = null;
  player.wave.addEventListener("pointerdown", (event) => {
    from = { x: event.clientX, frame: player.frameAt(event) };
    player.wave.setPointerCapture(event.pointerId);
  });
  player.wave.addEventListener("pointermove", (event) => {
    if (from && Math.abs(event.clientX - from.x) >= DRAG_PX_MIN) player.select(from.frame, player.frameAt(event));
  });
  player.wave.addEventListener("pointerup", async (event) => {
    if (!from) return;
    const isDrag = Math.abs(event.clientX - from.x) >= DRAG_PX_MIN;
    const begin = isDrag ? Math.min(from.frame, player.frameAt(event)) : player.frameAt(event);
    from = null;
    await player.seek(begin);
    if (!isDrag) player.select(begin, begin);
  });
}

function listenToKeys(player) {
  const jump = (seconds) => player.seek(player.frame + seconds * player.rateHz);
  const acts = {
    " ": () => player.toggle(),
    k: () => player.toggle(),
    j: () => jump(-LONG_JUMP_S),
    l: () => jump(LONG_JUMP_S),
    ArrowLeft: (event) => jump(event.shiftKey ? -SHORT_JUMP_S : -JUMP_S),
    ArrowRight: (event) => jump(event.shiftKey ? SHORT_JUMP_S : JUMP_S),
    Home: () => player.seek(0),
    a: (event) => player.listenTo(0, event),
    b: (event) => player.listenTo(1, event),
    n: () => noteHere(player),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (event.key === "Escape" && target.closest(".note-form")) target.blur(); // back to the player's keys
    if (target.closest("input:not([type=checkbox]), textarea, select")) return;
    if (event.key === " " && target.closest("button, summary, input")) return;
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act(event);
  });
}

function noteHere(player) {
  player.offerToNote();
  const text = document.querySelector("[data-note-text]");
  text?.focus();
  text?.scrollIntoView({ block: "center" });
}

function listenToForm(player) {
  const form = document.querySelector(".note-form");
  if (!form) return;
  form.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-note-text]") && !event.target.value) player.offerToNote();
  });
  // A time typed by hand is what counts then.
  form.addEventListener("input", (event) => {
    if (!event.target.matches("[data-note-at], [data-note-until]")) return;
    form.querySelector("[data-start-frame]").value = "";
    form.querySelector("[data-end-frame]").value = "";
  });
  form.addEventListener("tapelog:sent", () => player.select(0, 0));
}

export function startPlayer() {
  const root = document.querySelector("[data-player]");
  if (!root) return;
  const player = new Player(root);
  root.querySelector("[data-play]").addEventListener("click", () => player.toggle());
  player.buttons.forEach((button, index) => button.addEventListener("click", (event) => player.listenTo(index, event)));
  root.querySelector("[data-match]")?.addEventListener("change", (event) => player.engine?.match(event.target.checked));
  document.addEventListener("click", (event) => {
    const time = event.target.closest("[data-seek]");
    if (time) player.seek(Number(time.dataset.seek));
  });
  listenToPointer(player);
  listenToKeys(player);
  listenToForm(player);
  const totalBytes = player.buttons.reduce((sum, button) => sum + Number(button.dataset.bytes), 0);
  if (totalBytes <= EAGER_BYTES_MAX && !navigator.connection?.saveData && !window.matchMedia(NARROW).matches) {
    window.requestIdleCallback?.(() => player.load().catch(() => {}));
  }
}
