/**
 * How many threads a program runs on: measured, because no rule knows it. Threads exchange their rows through lines that go from
 * core to core, and a step of many small instructions can be slower on two cores than on one, or on sixteen than on four. Results
 * are the same bit for bit with any number (native/core/thread_pool.h), so the choice shows in the time alone.
 */
import { performance } from 'node:perf_hooks';
import { native } from '../native';

const rounds = 3;
/** Runs of one candidate in a round; the first one, in which rows move between the cores, does not count. */
const runsOfRound = 4;
/** Milliseconds. What takes longer than this on all threads is no row of small instructions: it stays there. */
const longRun = 25;
/** A smaller number must take so much less than all threads: the machine is not quiet. */
const gain = 0.95;
/**
 * What takes so many times as long as the fastest in a round is not tried again. All threads always are: the system may have begun
 * a worker on a core that is taken.
 */
const hopeless = 1.2;
/** Runs after which the choice is looked at again, at first and at most: other work on the machine comes and goes. */
const firstRenewal = 100;
const lastRenewal = 1600;

const median = (times: number[]): number =>
  times.sort((a, b) => a - b)[times.length >> 1] as number;

/** All threads, half of them, a quarter, …, one. */
function candidatesOf(all: number): number[] {
  const candidates = [all];
  for (let threads = all; threads > 1; ) {
    threads = Math.ceil(threads / 2);
    candidates.push(threads);
  }
  return candidates;
}

export class ThreadChoice {
  readonly #now: () => number;
  /** What `setThreads` allowed when the choice was begun. */
  #all = 0;
  /** Those still in question, all threads first, and the times of each. */
  #candidates: { readonly threads: number; readonly times: number[] }[] = [];
  #round = 0;
  /** Runs of this round. */
  #runs = 0;
  /** Runs until the next measurement. */
  #rest = 0;
  #renewal = firstRenewal;
  #chosen = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  #begin(all: number): void {
    this.#all = all;
    this.#candidates = candidatesOf(all).map((threads) => ({ threads, times: [] }));
    this.#round = 0;
    this.#runs = 0;
  }

  #choose(threads: number): void {
    this.#chosen = threads;
    this.#rest = this.#renewal;
    this.#renewal = Math.min(4 * this.#renewal, lastRenewal);
    this.#begin(this.#all);
  }

  #endRound(): void {
    this.#round++;
    this.#runs = 0;
    const timed = this.#candidates.map((one) => ({ ...one, time: median(one.times) }));
    const fastest = timed.reduce((best, one) => (one.time < best.time ? one : best));
    this.#candidates = timed.filter(
      ({ threads, time }) => threads === this.#all || time <= hopeless * fastest.time,
    );
    if (this.#round < rounds && this.#candidates.length > 1) return;
    const all = timed.find(({ threads }) => threads === this.#all)?.time ?? 0;
    this.#choose(fastest.time < gain * all ? fastest.threads : this.#all);
  }

  /** Calls body(threads), and measures it as long as the choice is open. */
  run<T>(body: (threads: number) => T, all: number = native.threads()): T {
    if (all !== this.#all) {
      this.#rest = 0;
      this.#renewal = firstRenewal;
      this.#begin(all);
    }
    if (all === 1) return body(1);
    if (this.#rest > 0) {
      this.#rest--;
      return body(this.#chosen);
    }
    const turn = Math.floor(this.#runs / runsOfRound);
    const { threads, times } = this.#candidates[turn] as { threads: number; times: number[] };
    const start = this.#now();
    const result = body(threads);
    const time = this.#now() - start;
    if (this.#runs % runsOfRound > 0) times.push(time);
    this.#runs++;
    if (threads === all && this.#runs >= 2 && time > longRun) this.#choose(all);
    else if (this.#runs === runsOfRound * this.#candidates.length) this.#endRound();
    return result;
  }
}
