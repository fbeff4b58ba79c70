/**
 * Several plug-ins beside the addon: which one is chosen, and what is said where none can be used. They are planted (planted.cc): a plug-in
 * without kernels whose file name says how it behaves.
 */
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { native } from '../../lib/native';
import { PACKAGE_ROOT, run } from '../command';
import { emulatedPlugin, isEmulated } from './emulated';

const folder = mkdtempSync(join(tmpdir(), 'flow-plugins-'));
const planted = join(folder, 'planted.so');

beforeAll(() => {
  const flags = ['-std=c++20', '-O0', '-shared', '-fPIC', '-fvisibility=hidden', '-I.', '-Inative'];
  run(process.env['CXX'] ?? 'g++', [...flags, '-o', planted, 'test/cuda/planted.cc', '-ldl']);
  emulatedPlugin();
}, 900_000);
afterAll(() => rmSync(folder, { recursive: true }));

interface Found {
  readonly available: boolean;
  readonly description: string;
  /** The calls of the planted ones, and contexts that the emulation made, in their order. */
  readonly calls: string[];
}

type File = string | readonly [name: string, from: string];

/** A folder of such files beside each other: names behind flow_kernels_cuda_, copies of the planted one or of another. */
function beside(files: readonly File[]): { place: string; paths: string[] } {
  const place = mkdtempSync(join(folder, 'beside-'));
  const paths = files.map((file) => {
    const [name, from] = typeof file === 'string' ? [file, planted] : file;
    const path = join(place, `flow_kernels_cuda_${name}.so`);
    copyFileSync(from, path);
    return path;
  });
  return { place, paths };
}

/** What backends() says in a process of its own. */
function choose(files: readonly File[]): Found {
  const { place } = beside(files);
  const log = join(place, 'calls.log');
  const script = `const { backends } = require(${JSON.stringify(join(PACKAGE_ROOT, 'dist'))}); console.log(JSON.stringify(backends()[1]));`;
  const { available, description } = JSON.parse(
    run(process.execPath, ['-e', script], PACKAGE_ROOT, {
      ...process.env,
      FLOW_KERNELS_CUDA: place,
      PLANTED_LOG: log,
    }),
  );
  const calls = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
  return {
    available,
    description,
    calls: calls.map((line) => line.replace('flow_kernels_cuda_', '')),
  };
}

describe('of several plug-ins', () => {
  it('the one with the highest score is opened, and no other', () => {
    const { available, description, calls } = choose(['score1', 'score2_opens', 'score0']);
    expect({ available, description }).toEqual({
      available: true,
      description: 'planted, flow_kernels_cuda_score2_opens.so',
    });
    expect(calls).toEqual([
      'score score0',
      'score score1',
      'score score2_opens',
      'open score2_opens',
    ]);
  });

  it('the first of equals', () => {
    const { description } = choose(['b_score7_opens', 'a_score7_opens']);
    expect(description).toBe('planted, flow_kernels_cuda_a_score7_opens.so');
  });

  it('the next one where the best cannot be opened after all', () => {
    const { available, calls } = choose(['score1_opens', 'score2', 'score3']);
    expect(available).toBe(true);
    expect(calls.slice(3)).toEqual(['open score3', 'open score2', 'open score1_opens']);
  });

  it('each says why it cannot be used', () => {
    const text = join(folder, 'text');
    writeFileSync(text, 'no library');
    const { available, description, calls } = choose([
      'score0',
      'score2',
      'version',
      'registry_score5',
      ['text', text],
    ]);
    expect(available).toBe(false);
    const wanted = [
      /^\[cuda\] none of 5 plug-ins can be used$/,
      /^flow_kernels_cuda_score2\.so: device: it cannot be opened: planted$/,
      /^flow_kernels_cuda_registry_score5\.so: library: .*another list of ops than the addon: build both from one source$/,
      /^flow_kernels_cuda_score0\.so: device: it was planted: pull it out$/,
      /^flow_kernels_cuda_text\.so: library: .*(invalid ELF|too short)/,
      /^flow_kernels_cuda_version\.so: library: .*the plug-in has version \d+, the addon asks for \d+$/,
    ];
    const said = description.split('; ');
    expect(said.length).toBe(wanted.length);
    for (const [k, pattern] of wanted.entries()) expect(said[k]).toMatch(pattern);
    expect(calls).toEqual(['score score0', 'score score2', 'open score2']); // the others are not asked
  });

  it('none in the folder: where it was looked for, and how one is built', () => {
    const { available, description } = choose([]);
    expect(available).toBe(false);
    expect(description).toMatch(
      /a plug-in flow_kernels_cuda\*\.so is not in .*beside-\w+: build it with "npm run build:cuda"/,
    );
  });
});

describe('the score of a build on a machine', () => {
  const many = '80-real+86-real+90-real+120';
  /** None of them can be opened: the reasons come in the order of the scores. */
  function reasonsOn(machine: string, builds: readonly string[]): string[] {
    process.env['PLANTED_MACHINE'] = machine;
    try {
      native.openCuda(beside(builds).paths);
    } catch (error) {
      return (error as Error).message.split('; ');
    }
    throw new Error('a planted plug-in was opened');
  }

  it.each([
    // device and driver, the build that is taken, the other
    ['9.0 13000', `${many}_cuda13000`, `${many}_cuda12080`],
    ['9.0 12080', `${many}_cuda12080`, `${many}_cuda13000`],
    ['9.0 13000', '90-real_cuda12080', '80-real_cuda13000'],
    ['9.0 13000', '90a-real_cuda12080', '80_cuda13000'],
    ['8.9 13000', '80-real_cuda12080', '80-virtual_cuda13000'],
    ['12.1 13000', '120_cuda12080', '90-real_cuda13000'],
    ['10.3 13000', '100f-real_cuda12080', '90_cuda13000'],
    ['13.0 13000', `${many}_cuda13000`, '90-real_cuda13000'],
  ] as const)('%s: %s, not %s', (machine, best, other) => {
    for (const builds of [
      [best, other],
      [other, best],
    ]) {
      const [, first] = reasonsOn(machine, builds);
      expect(first).toBe(`flow_kernels_cuda_${best}.so: device: it cannot be opened: planted`);
    }
  });

  it.each([
    ['9.0 0', '90-real_cuda13000', /there is no driver: install/],
    ['9.0 12080', '90-real_cuda13000', /supports CUDA 12\.8, .* built by 13\.0: update the driver/],
    ['7.5 13000', '80_cuda13000', /expected compute capability 8\.0 or later, got a GPU of 7\.5/],
    [
      '9.0 13000',
      '80-real+86-real_cuda13000',
      /a GPU has compute capability 9\.0, .* for 80-real,86-real: .*CDFLOW_CUDA_ARCHITECTURES=90-real/,
    ],
    ['8.0 13000', '86_cuda13000', /has compute capability 8\.0, .* built for 86/],
    ['10.3 13000', '90a_cuda13000', /has compute capability 10\.3/],
    ['9.0 13000', '80_cuda13010', /only PTX for a GPU .* 13\.0 does not compile .* 13\.1 .*update/],
  ] as const)('%s, %s: the reason', (machine, build, reason) => {
    expect(reasonsOn(machine, [build]).join()).toMatch(reason);
  });
});

describe.runIf(isEmulated)('the plug-in of the emulation', () => {
  const own = ['own', emulatedPlugin()] as const;

  it('is asked for its score without a context, and opened where it is the best', () => {
    const beaten = choose([own, 'score9999999_opens', 'score1']);
    expect(beaten.description).toMatch(/^planted, /);
    expect(beaten.calls.filter((call) => call.startsWith('context'))).toEqual([]);
    const chosen = choose([own, 'score9999999', 'score1_opens']);
    expect(chosen.description).toMatch(/^host emulation, .*, flow_kernels_cuda_own\.so$/);
    expect(chosen.calls.filter((call) => !call.startsWith('context'))).toEqual([
      'score score1_opens',
      'score score9999999',
      'open score9999999',
    ]);
    expect(chosen.calls.at(-1)).toMatch(/^context cudaSetDevice/);
  });
});
