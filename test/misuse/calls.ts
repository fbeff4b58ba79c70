/** A right call of every public function and class: what is made wrong, argument by argument, in misuse.test.ts. */
import { modelCalls } from './modelCalls';
import { opCalls } from './opCalls';
import { otherCalls } from './otherCalls';

/** The arguments of a right call, made anew each time. */
export type Arguments = () => readonly unknown[];

export const calls: Readonly<Record<string, Arguments>> = {
  ...opCalls,
  ...modelCalls,
  ...otherCalls,
};
