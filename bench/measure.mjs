// Turns of ours and of each peer, one after the other, until the time is up: on a shared machine only times taken side by
// side can be compared. A turn lasts about 200 ms; the first one of each is not counted.

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
  // Finalizers and other housekeeping of Node run between turns, not inside one.
  await new Promise((resolve) => setImmediate(resolve));
  return times;
}

export async function measure(one, peers, seconds) {
  const run = one.setUp();
  const contestants = [
    { turn: (k) => timesOf(run, k) },
    ...peers.map((peer) => ({ turn: (k) => peer.run(k) })),
  ].map((contestant) => ({ ...contestant, times: [], repetitions: 1 }));
  for (const contestant of contestants) {
    const warm = await contestant.turn(2);
    contestant.repetitions = Math.max(1, Math.min(2000, Math.round(200 / Math.min(...warm))));
    if (warm[1] < 200) await contestant.turn(contestant.repetitions);
  }
  const end = performance.now() + 1000 * seconds * contestants.length;
  let rounds = 0;
  while (rounds < 3 || performance.now() < end) {
    for (const contestant of contestants)
      contestant.times.push(...(await contestant.turn(contestant.repetitions)));
    rounds++;
    // A peer that takes seconds a repetition would keep us for minutes.
    if (rounds >= 1 && performance.now() > end + 20_000) break;
  }
  const [ours, ...theirs] = contestants;
  return {
    ours: statistics(ours.times),
    theirs: theirs.map((contestant, k) => ({
      peer: peers[k].name,
      time: statistics(contestant.times),
    })),
  };
}
