/** What the commands do. Loads the whole library. */
import { demo } from './demo';
import { info } from './info';
import { inpaintImages } from './inpaint';
import { interpolateRows } from './interpolate';
import type { Actions } from './program';
import { sample } from './sample';
import { score } from './score';
import type { Terminal } from './status';
import { shellWord } from './text';
import { train } from './train';

/** @param words the command line, for reports */
export function actions(words: readonly string[], terminal: Terminal): Actions<number> {
  const command = ['flow-kernels', ...words].map((word) => shellWord(word)).join(' ');
  return {
    train: (data, options, given) => train(terminal, command, data, options, given),
    score: (model, data, options) => score(terminal, model, data, options),
    sample: (model, options) => sample(terminal, model, options),
    inpaint: (model, data, options) => inpaintImages(terminal, model, data, options),
    interpolate: (model, data, options) => interpolateRows(terminal, model, data, options),
    info: (model, options) => info(terminal, model, options),
    demo: (options) => demo(terminal, command, options),
  };
}
