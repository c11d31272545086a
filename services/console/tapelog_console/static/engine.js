// Two versions on one clock: both run all the time, and a short crossfade says which one is heard.
// Switching moves gains and nothing else, so there is no gap and no jump in position.

/** Length of the crossfade: short enough to be a switch, long enough not to click. */
export const CROSSFADE_S = 0.006;
/** Time between asking for a start and the start, so that all sources begin at the same sample. */
const AHEAD_S = 0.02;

export function gainOf(db) {
  return 10 ** (db / 20);
}

/** Start one source per buffer at the same moment and the same position; only the active one has gain. */
export function startSides(context, buffers, gains, active, offsetS, whenS) {
  return buffers.map((buffer, index) => {
    const source = new AudioBufferSourceNode(context, { buffer });
    const gain = new GainNode(context, { gain: index === active ? gains[index] : 0 });
    source.connect(gain).connect(context.destination);
    source.start(whenS, Math.min(offsetS, buffer.duration));
    return { source, gain };
  });
}

/** Fade from what is heard to one side, linearly: the sides are alike, so their sum stays level. */
export function fadeTo(sides, gains, active, atS) {
  sides.forEach(({ gain }, index) => {
    const target = index === active ? gains[index] : 0;
    gain.gain.cancelScheduledValues(atS);
    gain.gain.setValueAtTime(gain.gain.value, atS);
    gain.gain.linearRampToValueAtTime(target, atS + CROSSFADE_S);
  });
}

export class Engine {
  /** @param {{url: string, gainDb: number}[]} sides @param {number} rateHz @param {number} lengthFrames */
  constructor(sides, rateHz, lengthFrames) {
    this.context = new AudioContext({ sampleRate: rateHz, latencyHint: "interactive" });
    this.rateHz = rateHz;
    this.lengthFrames = lengthFrames;
    this.active = 0;
    this.isMatched = true;
    this.isPlaying = false;
    this._sides = sides;
    this._buffers = null;
    this._running = [];
    this._frame = 0;
    this._beganS = 0;
  }

  get gains() {
    return this._sides.map((side) => (this.isMatched ? gainOf(side.gainDb) : 1));
  }

  /** Fetch and decode all sides; tells how many bytes have come. */
  async load(onBytes) {
    this._buffers = await Promise.all(this._sides.map(async (side) => {
      const answer = await fetch(side.url);
      if (!answer.ok) throw new Error(`${side.url}: ${answer.status}`);
      const chunks = [];
      const reader = answer.body.getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        chunks.push(part.value);
        onBytes(part.value.length);
      }
      return this.context.decodeAudioData(await new Blob(chunks).arrayBuffer());
    }));
  }

  /** Frame that is heard now: what was scheduled, less the way to the loudspeaker. */
  get frame() {
    if (!this.isPlaying) return this._frame;
    const heardS = this.context.currentTime - this._beganS - (this.context.outputLatency || 0);
    return Math.min(this._frame + Math.max(Math.round(heardS * this.rateHz), 0), this.lengthFrames);
  }

  async play() {
    if (this.isPlaying || !this._buffers) return;
    await this.context.resume();
    if (this._frame >= this.lengthFrames) this._frame = 0;
    this._beganS = this.context.currentTime + AHEAD_S;
    this._running = startSides(this.context, this._buffers, this.gains, this.active, this._frame / this.rateHz, this._beganS);
    this.isPlaying = true;
    const [first] = this._running;
    first.source.addEventListener("ended", () => {
      if (this._running[0] === first) this.pause();
    });
  }

  pause() {
    if (!this.isPlaying) return;
    this._frame = this.frame;
    this.isPlaying = false;
    for (const { source } of this._running) source.stop();
    this._running = [];
  }

  async seek(frame) {
    const wasPlaying = this.isPlaying;
    this.pause();
    this._frame = Math.min(Math.max(Math.round(frame), 0), this.lengthFrames);
    if (wasPlaying) await this.play();
  }

  listenTo(index) {
    this.active = index;
    fadeTo(this._running, this.gains, index, this.context.currentTime);
  }

  match(isMatched) {
    this.isMatched = isMatched;
    this.listenTo(this.active);
  }
}

/** The same, with the browser's own players: for what is too large to decode. They run together, one is heard. */
export class PlainEngine {
  constructor(players, sides, rateHz, lengthFrames) {
    this.rateHz = rateHz;
    this.lengthFrames = lengthFrames;
    this.active = 0;
    this.isMatched = true;
    this._players = players;
    this._sides = sides;
    this._apply();
  }

  get isPlaying() {
    return !this._players[this.active].paused;
  }

  get frame() {
    return Math.round(this._players[this.active].currentTime * this.rateHz);
  }

  async load() {}

  async play() {
    await Promise.all(this._players.map((player) => player.play()));
  }

  pause() {
    for (const player of this._players) player.pause();
  }

  async seek(frame) {
    for (const player of this._players) player.currentTime = frame / this.rateHz;
  }

  listenTo(index) {
    const atS = this._players[this.active].currentTime;
    this.active = index;
    this._players[index].currentTime = atS;
    this._apply();
  }

  match(isMatched) {
    this.isMatched = isMatched;
    this._apply();
  }

  _apply() {
    this._players.forEach((player, index) => {
      player.muted = index !== this.active;
      player.volume = this.isMatched ? gainOf(this._sides[index].gainDb) : 1;
    });
  }
}
