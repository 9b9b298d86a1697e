// Rate, round-trip time and window of one direction of a connection: the model and the names of wslink.session.congestion in Python,
// which documents the reasons. Both run tests/vectors/congestion.json.

const KIB = 1024;
const CHUNK_TIME = 0.02;
const MIN_CHUNK = 16 * KIB;
const MAX_CHUNK = 4096 * KIB - 4096;
const FIRST_WINDOW = 64 * KIB;
const MIN_WINDOW = 32 * KIB;
const FAST = 32e6;
const FAST_WINDOW = 8192 * KIB;
const RATE_ROUNDS = 10;
const CONGESTED_ROUNDS = 2;
const RTT_WINDOW = 10;
const PROBE_TIME = 0.2;
const STARTUP_GAIN = 2.885;
const STARTUP_WINDOW_GAIN = 1.25;
const STARTUP_GROWTH = 1.25;
const STARTUP_ROUNDS = 3;
const STARTUP_QUEUE = 1.25;
const TRAIN = 4 * MIN_CHUNK;
const CYCLE = [1.25, 0.75, 1, 1, 1, 1, 1, 1];
const DRAIN = 1;
const CRUISE = 2;
const DRAIN_ROUNDS = 4;
const QUEUE_ROUNDS = 2;
const QUEUE = 1.25;
const WINDOW_GAIN = 1.5;
const BURST_ROUNDS = 3;
const BURST_TIME = 0.3;
const MAX_BURST = 0.25;
const TIMER = 0.001;

/** A chunk in flight, and the state of the line when it was sent. */
interface Sent {
  readonly end: number;
  readonly time: number;
  readonly delivered: number;
  readonly deliveredTime: number;
  readonly firstTime: number;
  readonly limited: boolean;
}

/** A value that counts from `at` on, which is a time or a round. */
interface Sample {
  readonly at: number;
  readonly value: number;
  /** Of bursts. */
  readonly time?: number;
}

/** Congestion control for one direction of a connection. Times are seconds of one clock, sizes are in bytes, rates in bytes per second. */
export class CongestionController {
  /** All bytes handed to the transport so far. */
  sentBytes = 0;
  /** All bytes that the peer has acknowledged. */
  delivered = 0;
  /** The latest round-trip time, without the time for which the peer delayed its acknowledgement. */
  rtt = Infinity;

  readonly #sent: Sent[] = [];
  #deliveredTime: number;
  #firstTime: number;
  /** Rates, falling: the first is the largest. */
  readonly #rates: Sample[] = [];
  /** Bytes that were acknowledged in bursts, falling. */
  readonly #bursts: Sample[] = [];
  #burstStart: number;
  #burstBytes = 0;
  /** Whether nothing was in flight after the latest acknowledgement, though more was waiting. */
  #dry = false;
  /** Round trips, rising: the first is the smallest. */
  readonly #rtts: Sample[] = [];
  #round = 0;
  #roundEnd = 0;
  #limitedUntil = -1;
  #release: number;
  #started = false;
  #drained = false;
  #fullRate = 0;
  #fullRounds = 0;
  #cycle = 0;
  #cycleStart: number;
  /** The end of a probe; infinite until hardly anything is in flight, undefined without a probe. */
  #probeEnd: number | undefined;

  constructor(now: number) {
    this.#deliveredTime = this.#firstTime = this.#release = this.#cycleStart = this.#burstStart = now;
  }

  get inFlight(): number {
    return this.sentBytes - this.delivered;
  }

  /** The rate at which the line delivers; 0 while unknown. */
  get rate(): number {
    return this.#rates[0]?.value ?? 0;
  }

  /** The round-trip time of the line itself; infinite while unknown. */
  get minRtt(): number {
    return this.#rtts[0]?.value ?? Infinity;
  }

  /** Bytes that may be in flight. A chunk may be sent while there are fewer. */
  get window(): number {
    if (this.rate === 0) return FIRST_WINDOW;
    if (this.#probeEnd !== undefined) return this.chunkSize;
    const gain = this.#started ? WINDOW_GAIN : STARTUP_WINDOW_GAIN;
    const room = Math.floor(gain * this.#bandwidthDelay() + this.rate * this.#lateness) + 2 * this.chunkSize;
    return Math.max(room, this.rate >= FAST ? FAST_WINDOW : this.#started ? MIN_WINDOW : FIRST_WINDOW);
  }

  /** Bytes of the next chunk of a large message. */
  get chunkSize(): number {
    return Math.min(Math.max(Math.floor(this.rate * CHUNK_TIME), MIN_CHUNK), MAX_CHUNK);
  }

  /** Seconds until the next chunk may be sent; infinite until the peer has acknowledged more. */
  delay(now: number): number {
    if (this.inFlight >= this.window) return Infinity;
    if (!this.#started && this.inFlight < FIRST_WINDOW) return 0;
    const early = this.#release - now;
    return early > TIMER ? early : 0;
  }

  /** `size` bytes were handed to the transport. */
  sent(now: number, size: number): void {
    if (this.#sent.length === 0) this.#deliveredTime = this.#firstTime = now;
    this.sentBytes += size;
    this.#sent.push({
      end: this.sentBytes,
      time: now,
      delivered: this.delivered,
      deliveredTime: this.#deliveredTime,
      firstTime: this.#firstTime,
      limited: this.delivered <= this.#limitedUntil,
    });
    if (this.#probeEnd !== undefined) this.idle();
    const rate = this.#pacingRate();
    if (rate) this.#release = Math.max(this.#release, now) + size / rate;
  }

  /** Nothing is waiting to be sent: for now the rate is limited by the application, not by the line. */
  idle(): void {
    this.#limitedUntil = this.sentBytes;
  }

  /** The peer has received `total` bytes so far, and delayed this acknowledgement for `held` seconds. */
  acknowledged(now: number, total: number, held = 0): void {
    if (!(total > this.delivered && total <= this.sentBytes)) return;
    let newest: Sent | undefined;
    while (this.#sent[0] && this.#sent[0].end <= total) newest = this.#sent.shift();
    const burst = this.#countBurst(now, total - this.delivered);
    this.delivered = total;
    this.#deliveredTime = now;
    if (!newest) return;
    this.#firstTime = newest.time;
    const stale = this.#sampleRtt(now, Math.max(now - newest.time - Math.max(held, 0), 1e-6));
    const limited = this.#sampleRate(now, newest, held);
    this.#dry = !limited && this.#sent.length === 0 && this.#probeEnd === undefined;
    if (this.#started) {
      const value = Math.max((this.#dry ? 2 : 1) * burst - this.chunkSize, 0);
      keep(this.#bursts, { at: this.#round, time: now, value }, (old) => old <= value, this.#round - BURST_ROUNDS + 1, now - BURST_TIME);
    }
    this.#probe(now, stale && !limited);
    this.#countRound(newest, limited);
    if (!limited && !this.#started && this.#late(now, STARTUP_QUEUE * this.minRtt + CHUNK_TIME)) {
      this.#fullRate = this.rate;
      this.#started = true;
    }
    this.#advance(now);
  }

  #bandwidthDelay(): number {
    return this.rate * this.minRtt;
  }

  #countRound(newest: Sent, limited: boolean): void {
    if (newest.delivered < this.#roundEnd) return;
    this.#round += 1;
    this.#roundEnd = this.delivered;
    if (!limited) this.#checkFull();
  }

  /** Records a round-trip time, and returns whether the shortest one has expired. */
  #sampleRtt(now: number, rtt: number): boolean {
    this.rtt = rtt;
    return keep(this.#rtts, { at: now, value: rtt }, (old) => old >= rtt, now - RTT_WINDOW);
  }

  #probe(now: number, stale: boolean): void {
    const end = this.#probeEnd;
    if (end === undefined) {
      if (stale && this.#started && this.rate < FAST) this.#probeEnd = Infinity;
    } else if (now >= end) this.#probeEnd = undefined;
    else if (end === Infinity && this.inFlight <= this.chunkSize) this.#probeEnd = now + PROBE_TIME;
  }

  #sampleRate(now: number, newest: Sent, held: number): boolean {
    const size = this.delivered - newest.delivered;
    const acknowledging = Math.max(now - newest.deliveredTime - held, 1e-6);
    const sending = newest.time - newest.firstTime;
    const rate = size / Math.max(acknowledging, sending);
    const limited = newest.limited && !(size >= TRAIN && sending > 0 && sending < 0.8 * acknowledging);
    if (newest.limited && rate < this.rate) return limited;
    const rounds = this.#queues(now) ? CONGESTED_ROUNDS : RATE_ROUNDS;
    keep(this.#rates, { at: this.#round, value: rate }, (old) => old <= rate, this.#round - rounds + 1);
    return limited;
  }

  #checkFull(): void {
    if (this.rate >= this.#fullRate * STARTUP_GROWTH) {
      this.#fullRate = this.rate;
      this.#fullRounds = 0;
      this.#started = this.#drained = false;
    } else if (this.#started) {
      this.#fullRate = Math.min(this.#fullRate, Math.max(this.rate, 1));
    } else {
      this.#fullRounds += 1;
      this.#started = this.#fullRounds >= STARTUP_ROUNDS;
    }
  }

  /** Counts acknowledged bytes, and returns how many exceed the rate since the burst began. */
  #countBurst(now: number, size: number): number {
    if (this.#burstBytes <= this.rate * (now - this.#burstStart)) {
      this.#burstStart = now;
      this.#burstBytes = 0;
    }
    this.#burstBytes += size;
    return this.#burstBytes - this.rate * (now - this.#burstStart);
  }

  /** Seconds by which a busy peer lengthens a round trip. */
  get #lateness(): number {
    return this.rate && Math.min((this.#bursts[0]?.value ?? 0) / this.rate, MAX_BURST);
  }

  #queues(now: number): boolean {
    return this.#started && this.#late(now, QUEUE * this.minRtt + 2 * CHUNK_TIME);
  }

  #late(now: number, most: number): boolean {
    const oldest = this.#sent[0];
    return this.rtt > most + this.#lateness && oldest !== undefined && now - oldest.time > most - CHUNK_TIME;
  }

  #advance(now: number): void {
    if (!this.#started) return;
    const drained = this.inFlight <= Math.max(this.#bandwidthDelay(), this.chunkSize);
    const rounds = (now - this.#cycleStart) / this.minRtt;
    let phase = this.#cycle;
    if (!this.#drained) {
      this.#drained = drained;
      phase = CRUISE;
      this.#cycleStart = now;
    } else if (this.#gain < 1) {
      if (drained || rounds >= DRAIN_ROUNDS) phase = CRUISE;
    } else if (this.#queues(now) && (phase < CRUISE || phase >= CRUISE + QUEUE_ROUNDS)) {
      phase = DRAIN;
    } else if (rounds >= 1) {
      phase = (phase + 1) % CYCLE.length;
    }
    if (phase !== this.#cycle) this.#cycleStart = now;
    this.#cycle = phase;
  }

  get #gain(): number {
    return CYCLE[this.#cycle] ?? 1;
  }

  /** 0 for no pacing. */
  #pacingRate(): number {
    const { rate } = this;
    if (!rate || rate >= FAST) return 0;
    if (!this.#started) return Math.max(rate * STARTUP_GAIN, FIRST_WINDOW / this.minRtt);
    if (this.#dry) return rate * STARTUP_GAIN;
    return rate * (this.#drained ? this.#gain : 1 / STARTUP_GAIN);
  }
}

/** Adds a sample, and removes those that it makes obsolete and those before `oldest`. Returns whether there were any of the latter. */
function keep(samples: Sample[], sample: Sample, pointless: (value: number) => boolean, oldest: number, since = Infinity): boolean {
  let last;
  while ((last = samples.at(-1)) && pointless(last.value)) samples.pop();
  samples.push(sample);
  const count = samples.length;
  while (samples[0] && samples[0].at < oldest && (samples[0].time ?? 0) < since) samples.shift();
  return samples.length < count;
}
