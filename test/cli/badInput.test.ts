import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeNpy } from '../../lib/data/writers/npy';
import { PACKAGE_ROOT } from '../command';
import { flowKernels, workFolder, writeBanana } from './harness';

const folder = workFolder();
const at = folder.at;
const fast = ['--hidden', '8', '--transforms', '1', '--epochs', '1'];

beforeAll(async () => {
  writeBanana(at('good.csv'), 60);
  const trained = await flowKernels('train', at('good.csv'), ...fast, '--out', at('run'), '-q');
  expect(trained).toEqual({ status: 0, stdout: '', stderr: '' });

  const texts: Record<string, string> = {
    'ragged.csv': 'a,b\n1,2\n3,4,5\n6,7\n',
    'empty.csv': '',
    'header-only.csv': 'a,b\n',
    'words.csv': 'a,b\n1,2\n3,four\n',
    'nan.csv': 'a,b\n1,2\n3,nan\n5,6\n',
    'hole.csv': 'a,b\n1,2\n3,\n5,6\n',
    'wide.csv': 'a,b,c,d\n1,2,3,4\n5,6,7,8\n',
    'unknown.csv': 'x,z,label\n1,2,0\n3,4,1\n',
    'one.csv': 'a,b\n1,2\n',
    'constant.csv': `a,b\n${Array.from({ length: 30 }, (_, k) => `${k},5`).join('\n')}\n`,
    'half.csv': `a\n${Array.from({ length: 30 }, (_, k) => k / 2).join('\n')}\n`,
    'levels.csv': `a\n${Array.from({ length: 30 }, (_, k) => k).join('\n')}\n`,
    'archive.csv': 'PK\u0003\u0004 and so on',
  };
  for (const [name, text] of Object.entries(texts)) writeFileSync(at(name), text);
  await writeNpy(at('wide.npy'), { data: new Float32Array(12).fill(1), shape: [3, 4] });

  const model = readFileSync(at('run', 'model.safetensors'));
  writeFileSync(at('truncated.safetensors'), model.subarray(0, model.length - 100));
  const flipped = Buffer.from(model);
  flipped[model.length - 50]! ^= 0x40;
  writeFileSync(at('flipped.safetensors'), flipped);
  writeFileSync(at('text.safetensors'), 'this is no model');

  mkdirSync(at('no-checkpoint'));
  copyFileSync(at('run', 'run.json'), at('no-checkpoint', 'run.json'));
  mkdirSync(at('bad-record'));
  copyFileSync(at('run', 'checkpoint.safetensors'), at('bad-record', 'checkpoint.safetensors'));
  writeFileSync(at('bad-record', 'run.json'), '{"data": 3}');
  mkdirSync(at('bad-checkpoint'));
  copyFileSync(at('run', 'run.json'), at('bad-checkpoint', 'run.json'));
  writeFileSync(at('bad-checkpoint', 'checkpoint.safetensors'), model.subarray(0, 500));
  mkdirSync(at('other-data'));
  for (const name of ['run.json', 'checkpoint.safetensors']) {
    copyFileSync(at('run', name), at('other-data', name));
  }
});
afterAll(folder.remove);

const texts = join(PACKAGE_ROOT, 'test', 'data', 'fixtures', 'snappy.parquet');

/** What is typed ($ stands for the folder), the exit status, and what the sentence must say. */
const cases: [what: string, words: string, status: number, sentence: RegExp][] = [
  // Data
  [
    'a missing file',
    'train $/none.csv',
    1,
    /none\.csv: expected a readable file, got no such file/,
  ],
  ['a folder', 'train $/run', 1, /run: expected files that end with .png, .jpg or .jpeg, got none/],
  ['an empty file', 'train $/empty.csv', 1, /empty\.csv: .*an empty file/],
  ['a header alone', 'train $/header-only.csv', 1, /header-only\.csv: expected rows of numbers/],
  ['a ragged file', 'train $/ragged.csv', 1, /ragged\.csv: line 3: expected 2 cells.*got 3 cells/],
  [
    'a word in a cell',
    'train $/words.csv',
    1,
    /line 3, column "b" \(index 1\).*"four".*--exclude "b"/,
  ],
  ['a NaN', 'train $/nan.csv', 1, /line 3, column "b".*"nan".*--missing drop/],
  ['an empty cell', 'train $/hole.csv', 1, /line 3, column "b".*an empty cell.*--missing drop/],
  ['a column of texts', `train ${texts}`, 1, /column "name".*leave it out with --exclude "name"/],
  ['an archive', 'train $/archive.csv', 1, /a zip archive.*unpack it/],
  [
    'a column that is not there',
    'train $/good.csv --columns x,age',
    1,
    /one of "x", "y", "label", got age/,
  ],
  [
    'an index that is not there',
    'train $/good.csv --columns 0,7',
    1,
    /an index from 0 to 2.*got 7/,
  ],
  [
    'no column left',
    'train $/good.csv --exclude 0-2',
    1,
    /columns: expected at least one, got none/,
  ],
  ['one row', 'train $/one.csv', 1, /one\.csv: expected at least 2 rows/],
  [
    'a constant column',
    'train $/constant.csv',
    1,
    /column "b".*values that vary, got 5.*--exclude/,
  ],
  [
    'fractions as levels',
    'train $/half.csv --levels 256',
    1,
    /row 1 .*whole number from 0 to 255, got 0\.5/,
  ],
  ['levels beyond the last', 'train $/levels.csv --levels 20', 1, /row 20 .*from 0 to 19, got 20/],
  ['a logit of large numbers', 'train $/levels.csv --logit 1e-6', 1, /row 2 .*from 0 to 1, got 2/],
  [
    'validation of another width',
    'train $/good.csv --validation $/wide.npy',
    1,
    /wide\.npy.*3 columns.*got 4/,
  ],
  [
    'a folder that cannot be made',
    'train $/good.csv --out $/good.csv/run',
    1,
    /good\.csv\/run: expected a folder/,
  ],
  [
    'a folder with a run',
    'train $/good.csv --out $/run',
    1,
    /a folder without a run.*--resume.*--force/,
  ],
  // Models
  ['a missing model', 'score $/none.safetensors $/good.csv', 1, /none\.safetensors.*no such file/],
  ['a folder without a model', 'info $/no-checkpoint', 1, /model\.safetensors.*no such file/],
  [
    'a truncated model',
    'score $/truncated.safetensors $/good.csv',
    1,
    /truncated\.safetensors.*damaged/,
  ],
  ['a model with a flipped bit', 'info $/flipped.safetensors', 1, /flipped\.safetensors.*SHA-256/],
  ['a text for a model', 'sample $/text.safetensors', 1, /text\.safetensors.*length of the header/],
  ['rows of another width', 'score $/run $/wide.npy', 1, /wide\.npy.*3 columns.*got 4/],
  [
    'rows without a column of the model',
    'score $/run $/unknown.csv',
    1,
    /one of "x", "z", "label", got y/,
  ],
  [
    'scores in a folder that is not there',
    'score $/run $/good.csv --out $/no/s.csv',
    1,
    /no such file or folder/,
  ],
  // Resuming
  [
    'a resume without a run',
    'train $/good.csv --resume --out $/none',
    1,
    /run\.json: expected the checkpoint/,
  ],
  [
    'a resume without a checkpoint',
    'train --resume --out $/no-checkpoint',
    1,
    /checkpoint\.safetensors.*no such file/,
  ],
  [
    'a resume of a damaged record',
    'train --resume --out $/bad-record',
    1,
    /run\.json: expected the options of a run/,
  ],
  [
    'a resume of a truncated checkpoint',
    'train --resume --out $/bad-checkpoint',
    1,
    /checkpoint\.safetensors.*damaged/,
  ],
  [
    'a resume with other data',
    'train $/levels.csv --resume --out $/other-data',
    1,
    /other numbers/,
  ],
  [
    'a resume with another model',
    'train --resume --out $/other-data --hidden 9',
    2,
    /--hidden: .*started with \[8\]/,
  ],
  ['a resume without a folder', 'train --resume', 2, /--resume needs --out/],
  ['both resume and force', 'train --resume --force --out $/run', 2, /--resume and --force/],
  // Usage
  ['no data', 'train', 2, /the data file is missing/],
  ['an unknown command', 'fly', 2, /unknown command 'fly'/],
  ['an unknown option', 'train $/good.csv --speed 9', 2, /unknown option '--speed'/],
  ['a word for a number', 'train $/good.csv --epochs many', 2, /--epochs.*whole number ≥ 1/],
  ['an unknown model', 'train $/good.csv --model gan', 2, /Allowed choices are maf, iaf, made/],
  [
    'two preprocessings',
    'train $/good.csv --standardize --levels 4',
    2,
    /choose one of --standardize/,
  ],
  [
    'transforms of a MADE',
    'train $/good.csv --model made --transforms 3',
    2,
    /--model made has no --transforms/,
  ],
  [
    'scores over the data',
    'score $/run $/good.csv --out $/good.csv',
    2,
    /this is the file that is read: choose another name/,
  ],
  ['an unknown ending', 'sample $/run --out $/x.xlsx', 2, /must end with \.csv, \.npy, \.png/],
  ['a picture of a table', 'sample $/run --out $/x.png', 2, /rows are no images/],
  ['a context for a model without', 'sample $/run --context 1,2', 2, /the model takes none, got 2/],
  ['a score without data', 'score $/run', 2, /missing required argument 'data'/],
];

describe('a command tells what is wrong', () => {
  it.each(cases)('with %s', async (_what, words, status, sentence) => {
    const parts = words.split(' ').map((word) => word.replace('$', at()));
    const more = parts[0] === 'train' && !parts.includes('--resume') && status === 1 ? fast : [];
    const out = more.length > 0 && !parts.includes('--out') ? ['--out', at('unused')] : [];
    const heard = await flowKernels(...parts, ...more.slice(0, out.length > 0 ? 6 : 0), ...out);
    expect(heard.stderr).toMatch(sentence);
    expect(heard.status).toBe(status);
    expect(heard.stdout).toBe('');
    // One line for people, no stack; usage errors may add what was perhaps meant and where help is.
    const lines = heard.stderr.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(status === 1 ? 1 : 3);
    expect(heard.stderr).not.toMatch(/\n\s+at /);
  });

  it('and with --debug where it happened', async () => {
    const { status, stderr } = await flowKernels('train', at('none.csv'), '--debug');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^flow-kernels: \[.*\n[\s\S]*\n\s+at /);
  });
});
