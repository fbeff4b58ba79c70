// Turns of ours, of what it is run against in this process, and of each peer, one after the other, until the time is up: on
// a shared machine only times taken side by side can be compared. A turn lasts about 200 ms; the first one of each is not
// counted. Between turns a pause: our workers and a peer's spin for a moment after their last call.
import { setTimeout as pause } from 'node:timers/promises';

const pauseMs = 5;

function statistics(times) {
  const sorted = [...times].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1], min: sorted[0], runs: sorted.length };
}

async function timesOf(run, repetitions) {
  const times = [];
  for (let k = 0; k < repetitions; k++) {
    const start = process.hrtime.bigint();
    run();
    times.push(Number(process.hrtime.bigint() - start) / 1e6);
  }
  return times;
}

/**
 * `one.setUp()` gives the function to be timed, or { run, against: [{ name, run }], probe }: functions that are timed with
 * it, and one that measures what the machine can do at most, run once a round; the best counts. With `per` a run is so many
 * repetitions of the peers'.
 */
export async function measure(one, peers, seconds) {
  const made = one.setUp();
  const { run, against = [], probe, per = 1 } = typeof made === 'function' ? { run: made } : made;
  const contestants = [
    { turn: async (k) => (await timesOf(run, Math.ceil(k / per))).map((ms) => ms / per) },
    ...against.map((other) => ({ turn: (k) => timesOf(other.run, k) })),
    ...peers.map((peer) => ({ turn: (k) => peer.run(k) })),
  ].map((contestant) => ({ ...contestant, times: [], repetitions: 1 }));
  for (const contestant of contestants) {
    const warm = await contestant.turn(2);
    contestant.repetitions = Math.max(1, Math.min(2000, Math.round(200 / Math.min(...warm))));
    if (warm[1] < 200) await contestant.turn(contestant.repetitions);
  }
  const end = performance.now() + 1000 * seconds * contestants.length;
  let rounds = 0;
  let peak = 0;
  while (rounds < 3 || performance.now() < end) {
    for (const contestant of contestants) {
      contestant.times.push(...(await contestant.turn(contestant.repetitions)));
      await pause(pauseMs);
    }
    if (probe) peak = Math.max(peak, probe());
    rounds++;
    // A peer that takes seconds a repetition would keep us for minutes.
    if (rounds >= 1 && performance.now() > end + 20_000) break;
  }
  const [ours, ...others] = contestants.map(({ times }) => statistics(times));
  return {
    ours,
    against: Object.fromEntries(against.map(({ name }, k) => [name, others[k]])),
    peak,
    theirs: peers.map(({ name }, k) => ({ peer: name, time: others[against.length + k] })),
  };
}
