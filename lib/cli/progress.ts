/** Progress on stderr: a bar on a terminal, plain lines elsewhere. */
import { SingleBar } from 'cli-progress';
import type { Terminal } from './status';
import { duration, lossText } from './text';

/** Where a training is. */
export interface Progress {
  /** Of the whole run, from 0 to 1. */
  readonly fraction: number;
  /** '3/20'. */
  readonly epoch: string;
  /** Mean loss of the last steps, nats. */
  readonly loss: number | null;
  /** The last validation in words. */
  readonly validation: string | null;
  readonly samplesPerSecond: number;
  readonly secondsLeft: number | null;
}

export interface Display {
  update(progress: Progress): void;
  /** The summary of an epoch: a line that stays, where there is no bar. */
  epoch(text: string): void;
  /** A line that stays. */
  line(text: string): void;
  stop(): void;
}

/** Seconds between two plain lines of progress, and between two of epochs. */
const LINE_SECONDS = 10;
const EPOCH_SECONDS = 1;

/** @param quiet shows nothing */
export function openDisplay(terminal: Terminal, quiet: boolean): Display {
  if (quiet) return { update: () => {}, epoch: () => {}, line: () => {}, stop: () => {} };
  return terminal.stderr.isTTY ? barDisplay(terminal) : lineDisplay(terminal);
}

function describe(progress: Progress): string {
  const { epoch, loss, validation, samplesPerSecond, secondsLeft } = progress;
  const parts = [`epoch ${epoch}`];
  if (loss !== null) parts.push(`loss ${lossText(loss)}`);
  if (validation !== null) parts.push(`validation ${validation}`);
  parts.push(`${Math.round(samplesPerSecond)} samples/s`);
  if (secondsLeft !== null) parts.push(`${duration(secondsLeft)} left`);
  return parts.join(' | ');
}

function barDisplay(terminal: Terminal): Display {
  const bar = new SingleBar({
    stream: terminal.stderr,
    format: '{bar} {percentage}% | {state}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 20,
    fps: 5,
    hideCursor: true,
    linewrap: true,
    // Signals are ours: the checkpoint comes first.
    gracefulExit: false,
    stopOnComplete: false,
  });
  let active = false;
  return {
    update(progress) {
      const state = describe(progress);
      const value = Math.min(1000, Math.round(1000 * progress.fraction));
      if (!active) bar.start(1000, value, { state });
      else bar.update(value, { state });
      active = true;
    },
    epoch() {},
    line(text) {
      // The bar stands in the last line: the text takes its place, and the bar comes back under it.
      if (active) terminal.stderr.write('\r\x1b[K');
      terminal.stderr.write(`${text}\n`);
      if (active) bar.render();
    },
    stop() {
      if (active) bar.stop();
      active = false;
    },
  };
}

function lineDisplay(terminal: Terminal): Display {
  let last = performance.now() / 1000;
  let lastEpoch = -Infinity;
  return {
    update(progress) {
      const now = performance.now() / 1000;
      if (now - last < LINE_SECONDS) return;
      last = now;
      terminal.stderr.write(`${Math.round(100 * progress.fraction)}% | ${describe(progress)}\n`);
    },
    epoch(text) {
      const now = performance.now() / 1000;
      if (now - lastEpoch < EPOCH_SECONDS) return;
      last = now;
      lastEpoch = now;
      terminal.stderr.write(`${text}\n`);
    },
    line: (text) => void terminal.stderr.write(`${text}\n`),
    stop: () => {},
  };
}
