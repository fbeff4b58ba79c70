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
/** Runs after which the choice is looked at again: other work on the machine comes and goes. */
const renewal = 5000;

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
  #candidates: number[] = [];
  #times: number[][] = [];
  /** Runs since the measurement began; its end makes them negative: runs until the next one. */
  #runs = 0;
  #chosen = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  #begin(all: number): void {
    this.#all = all;
    this.#candidates = candidatesOf(all);
    this.#times = this.#candidates.map(() => []);
    this.#runs = 0;
    this.#chosen = all;
  }

  #end(): void {
    const medians = this.#times.map((times) => (times.length > 0 ? median(times) : Infinity));
    const least = medians.reduce(
      (best, time, k) => (time < (medians[best] as number) ? k : best),
      0,
    );
    const isWorth = (medians[least] as number) < gain * (medians[0] as number);
    this.#chosen = this.#candidates[isWorth ? least : 0] as number;
    this.#times = this.#candidates.map(() => []);
    this.#runs = -renewal;
  }

  /** Calls body(threads), and measures it as long as the choice is open. */
  run<T>(body: (threads: number) => T, all: number = native.threads()): T {
    if (all !== this.#all) this.#begin(all);
    if (all === 1) return body(1);
    if (this.#runs < 0) {
      this.#runs++;
      return body(this.#chosen);
    }
    const turn = Math.floor(this.#runs / runsOfRound) % this.#candidates.length;
    const start = this.#now();
    const result = body(this.#candidates[turn] as number);
    const time = this.#now() - start;
    if (this.#runs % runsOfRound > 0) this.#times[turn]?.push(time);
    this.#runs++;
    const isLong = turn === 0 && this.#runs >= 2 && time > longRun;
    if (isLong || this.#runs === rounds * runsOfRound * this.#candidates.length) {
      if (isLong) this.#times = this.#candidates.map(() => []);
      this.#end();
    }
    return result;
  }
}
