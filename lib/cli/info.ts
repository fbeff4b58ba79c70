/** `flow-kernels info`: what is in a model file. */
import { stat } from 'node:fs/promises';
import { Flow } from '../flows';
import { readSafetensors } from '../io/safetensors';
import { type GenerativeModel, loadModel } from '../models';
import { OptionsModel } from '../models/optionsModel';
import type { Config, Json } from '../nn/module';
import { readDescription } from './dataset';
import { modelPath } from './folder';
import type { InfoOptions } from './grammar/info';
import { countParameters } from './report';
import { exitStatus, type Terminal, write } from './status';
import { grouped, megabytes } from './text';

export async function info(
  terminal: Terminal,
  model: string,
  options: InfoOptions,
): Promise<number> {
  const path = await modelPath(model);
  const flow = await loadModel(path);
  try {
    const { metadata } = await readSafetensors(path, { verify: false });
    const { size } = await stat(path);
    const { columns, contextColumns, image } = readDescription(flow.description);
    const config = flow.config();
    const facts = {
      file: path,
      bytes: size,
      features: flow.features,
      contextFeatures: flow.contextFeatures,
      dtype: flow.dtype,
      parameters: countParameters(flow),
      kind: config.kind,
      fastDirection: flow instanceof Flow ? flow.fastDirection : null,
      ...(flow instanceof Flow
        ? { base: config.base, bijection: config.bijection }
        : { parts: partsOf(flow) }),
      ...(flow instanceof OptionsModel && { options: optionsOf(config) }),
      preprocessing: config.preprocessing,
      contextPreprocessing: config.contextPreprocessing ?? null,
      dequantization: config.dequantization,
      columns,
      contextColumns,
      image,
      training: parsed(metadata.run),
    };
    const text = options.json ? `${JSON.stringify(facts, null, 2)}\n` : inWords(facts);
    await write(terminal.stdout, text);
    return exitStatus.ok;
  } finally {
    flow.dispose();
  }
}

/** What cannot be read counts as not there: what a file says of itself is shown, not needed. */
function parsed(text: string | undefined): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text ?? 'null');
    return typeof value === 'object' ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

interface Facts {
  readonly file: string;
  readonly bytes: number;
  readonly features: number;
  readonly contextFeatures: number;
  readonly dtype: string;
  readonly parameters: number;
  readonly kind: string;
  readonly fastDirection: 'both' | 'forward' | 'inverse' | null;
  /** Of a flow. */
  readonly base?: unknown;
  readonly bijection?: unknown;
  /** Of another model. */
  readonly parts?: Readonly<Record<string, unknown>>;
  /** Of one that is built from options: those that say what it is. */
  readonly options?: Readonly<Record<string, Json>>;
  readonly preprocessing: unknown;
  readonly contextPreprocessing: unknown;
  readonly dequantization: unknown;
  readonly columns: readonly string[] | null;
  readonly contextColumns: readonly string[] | null;
  readonly image: readonly number[] | null;
  readonly training: Record<string, unknown> | null;
}

const fast = {
  both: 'both directions',
  forward: 'scoring is the fast direction',
  inverse: 'sampling is the fast direction',
} as const;

function inWords(facts: Facts): string {
  const lines: [string, string][] = [
    ['file', `${facts.file}, ${megabytes(facts.bytes)}`],
    [
      'features',
      facts.image ? `${facts.features} (${facts.image.join(' × ')})` : String(facts.features),
    ],
    ['parameters', `${grouped(facts.parameters)} ${facts.dtype}`],
    ...(facts.fastDirection
      ? [['direction', fast[facts.fastDirection]] as [string, string]]
      : [['kind', facts.kind] as [string, string]]),
  ];
  if (facts.contextFeatures > 0) lines.splice(2, 0, ['context', String(facts.contextFeatures)]);
  if (facts.columns) lines.push(['columns', shortList(facts.columns)]);
  if (facts.contextColumns) lines.push(['given', shortList(facts.contextColumns)]);
  const { dequantization, preprocessing } = facts;
  const steps = [
    ...(dequantization
      ? [`dequantise ${(dequantization as { levels: number }).levels} levels`]
      : []),
    ...(preprocessing ? describeBijection(preprocessing as Config) : []),
  ];
  lines.push(['data to model', steps.length > 0 ? steps.join(', ') : 'as it is']);
  const { contextPreprocessing: ofContext, options } = facts;
  if (ofContext) lines.push(['given to model', describeBijection(ofContext as Config).join(', ')]);
  if (options) lines.push(['built with', inPhrases(options)]);
  if (facts.parts) {
    for (const [name, part] of Object.entries(facts.parts)) {
      describePart(part as Config).forEach((step, k) => {
        lines.push([k === 0 ? name : '', step]);
      });
    }
  } else {
    lines.push(['base', String((facts.base as Config).kind)]);
    const chain = describeBijection(facts.bijection as Config);
    chain.forEach((step, k) => {
      lines.push([k === 0 ? 'chain' : '', step]);
    });
  }
  for (const [key, value] of Object.entries(facts.training ?? {})) {
    lines.push([key, typeof value === 'object' ? JSON.stringify(value) : String(value)]);
  }
  const width = Math.max(...lines.map(([name]) => name.length)) + 2;
  return lines.map(([name, value]) => `${name.padEnd(width)}${value}\n`).join('');
}

function shortList(names: readonly string[]): string {
  const shown = names.slice(0, 12).join(', ');
  return names.length > 12 ? `${shown}, … (${names.length})` : shown;
}

interface CouplingConfig {
  readonly split: {
    readonly kind: string;
    readonly parity?: number;
    readonly transformed?: string;
  };
  readonly scale: { readonly kind: string };
  readonly conditioner: { readonly kind: string };
}

/** Phrases with what repeats said once: the transforms of a scale. */
export function runsOf(phrases: readonly string[]): string[] {
  const lines: string[] = [];
  for (let at = 0; at < phrases.length; ) {
    let [length, times] = [1, 1];
    // The shortest group that repeats from here on.
    for (let size = 1; size <= 8; size++) {
      const group = (k: number) => phrases.slice(at + k * size, at + (k + 1) * size).join('\n');
      let count = 1;
      while (group(count) !== '' && group(count) === group(0)) count++;
      if (count > 1) {
        [length, times] = [size, count];
        break;
      }
    }
    const group = phrases.slice(at, at + length);
    lines.push(times === 1 ? (group[0] as string) : `${times} × [${group.join('; ')}]`);
    at += length * times;
  }
  return lines;
}

/** Options that say what a model is; the others have lines of their own, or say nothing of it. */
function optionsOf(config: Config): Record<string, Json> {
  const elsewhere = ['kind', 'image', 'length', 'contextFeatures', 'contextPreprocessing'];
  const besides = ['description', 'seed', 'dtype'];
  return Object.fromEntries(
    Object.entries(config).filter(([key]) => ![...elsewhere, ...besides].includes(key)),
  );
}

/** layers 4, hidden 64, likelihood normal, local (channels 16, hop 200). */
function inPhrases(options: Readonly<Record<string, Json>>): string {
  const phrases = Object.entries(options).map(([key, value]) => {
    if (value === true) return key;
    if (Array.isArray(value)) return `${key} ${value.join(', ')}`;
    if (typeof value !== 'object' || value === null) return `${key} ${value}`;
    const { kind, ...rest } = value as Readonly<Record<string, Json>>;
    const more = inPhrases(rest);
    return [key, kind, more && `(${more})`].filter(Boolean).join(' ');
  });
  return phrases.join(', ');
}

/** The modules that a model has, by their names. */
function partsOf(model: GenerativeModel): Record<string, Config> {
  const parts = [...model.children()].filter(
    ([name]) => name !== 'preprocessing' && name !== 'contextPreprocessing',
  );
  return Object.fromEntries(parts.map(([name, part]) => [name, part.config()]));
}

/** A flow by its chain, a network by its sizes. */
function describePart(config: Config): string[] {
  if (config.kind === 'flow') return describePart(config.bijection as unknown as Config);
  if (config.kind === 'chain') return runsOf(describeBijection(config));
  if (config.kind === 'invert') {
    const inner = runsOf(describeBijection(config.bijection as unknown as Config));
    return ['inverse of', ...inner.map((step) => `  ${step}`)];
  }
  const { hidden, channels, inputs, outputs } = config as Record<string, unknown>;
  const list = (value: unknown) => (Array.isArray(value) ? value.join(', ') : String(value));
  const sizes = Object.entries({ inputs, outputs, channels, hidden }).filter(
    ([, size]) => size !== undefined,
  );
  return [[config.kind, ...sizes.map(([name, size]) => `${name} ${list(size)}`)].join(', ')];
}

/** One phrase a step of a bijection. */
function describeBijection(config: Config): string[] {
  if (config.kind === 'chain') {
    return (config.bijections as unknown as Config[]).flatMap(describeBijection);
  }
  if (config.kind === 'invert') {
    return [
      'inverse of',
      ...describeBijection(config.bijection as unknown as Config).map((s) => `  ${s}`),
    ];
  }
  if (config.kind === 'maskedAutoregressive') {
    const hidden = (config.hidden as number[]).join(', ');
    const more = [config.residual ? 'residual' : '', config.activation ?? 'relu'];
    return [`masked autoregressive, hidden [${hidden}], ${more.filter(Boolean).join(', ')}`];
  }
  if (config.kind === 'autoregressive') {
    const hidden = (config.hidden as number[]).join(', ');
    const { kind, family } = config.transformer as unknown as Config & { family?: Config };
    return [`autoregressive, hidden [${hidden}], ${family?.kind ?? kind}`];
  }
  if (config.kind === 'blockAutoregressive') {
    const hidden = ((config.hidden as number[] | undefined) ?? [8, 8]).join(', ');
    return [`block autoregressive, hidden [${hidden}] a feature`];
  }
  if (config.kind === 'permutation') {
    const order = config.order as number[];
    const reversed = order.every((from, k) => from === order.length - 1 - k);
    return [reversed ? 'reverse' : 'permutation'];
  }
  if (config.kind === 'affine') {
    const scales = config.logScale as number[];
    const same = scales.every((scale) => scale === scales[0]);
    return [
      same ? `scale by ${Number(Math.exp(scales[0] ?? 0).toPrecision(6))}` : 'affine a column',
    ];
  }
  if (config.kind === 'multiScale') {
    const scales = config.scales as unknown as { bijection: Config }[];
    return scales.flatMap(({ bijection }, k) => [
      `scale ${k + 1}`,
      ...runsOf(describeBijection(bijection)).map((line) => `  ${line}`),
    ]);
  }
  if (config.kind === 'affineCoupling') {
    const { split, scale, conditioner } = config as unknown as CouplingConfig;
    const part =
      split.kind === 'checkerboard' ? `checkerboard ${split.parity}` : `${split.transformed} part`;
    return [`coupling of the ${part}, ${scale.kind}, by ${conditioner.kind}`];
  }
  if (config.kind === 'logit') return [`logit with λ = ${config.lambda}`];
  return [config.kind === 'batchNorm' ? 'batch norm' : config.kind];
}
