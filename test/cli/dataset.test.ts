import { writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { describeData, readDataset, readDatasetFor } from '../../lib/cli/dataset';
import { splitDataset } from '../../lib/cli/split';
import { writeNpy } from '../../lib/data/writers/npy';
import { workFolder } from './harness';

const folder = workFolder();
afterAll(folder.remove);

function file(name: string, text: string): string {
  writeFileSync(folder.at(name), text);
  return folder.at(name);
}

const named = file('named.csv', 'a,b,c,d\n1,2,3,4\n5,6,,8\n9,10,11,12\n13,14,15,nan\n');

describe('a data file', () => {
  it('gives rows and context, in the order asked for', async () => {
    const found = await readDataset(named, { columns: ['b', 0], contextColumns: ['a'] }).catch(
      (error: Error) => error.message,
    );
    // A column cannot be both what is modelled and what it is conditioned on: context wins.
    expect(found).toMatchObject({ columns: ['b'], contextColumns: ['a'] });
    const { rows, context } = await readDataset(named, { columns: ['b'], contextColumns: [0] });
    expect([...rows.data]).toEqual([2, 6, 10, 14]);
    expect([...(context?.data ?? [])]).toEqual([1, 5, 9, 13]);
  });

  it('drops a row from rows and context together', async () => {
    const found = await readDataset(named, {
      columns: ['a', 'c'],
      contextColumns: ['d'],
      missing: 'drop',
    });
    expect([...found.rows.data]).toEqual([1, 3, 9, 11]);
    expect([...(found.context?.data ?? [])]).toEqual([4, 12]);
    expect(found.droppedRows).toBe(2);
  });

  it('tells in the words of the command line what to do about a missing value', async () => {
    await expect(readDataset(named, {})).rejects.toThrow(
      /named\.csv: line 3, column "c" \(index 2\).*--missing drop/,
    );
  });

  it('of bytes with three axes holds images', async () => {
    const path = folder.at('images.npy');
    await writeNpy(path, { data: new Uint8Array(5 * 4 * 3).fill(7), shape: [5, 4, 3] });
    const found = await readDataset(path, {});
    expect(found.image).toEqual([4, 3, 1]);
    expect([found.rows.rows, found.rows.cols]).toEqual([5, 12]);
  });
});

describe('data for a model', () => {
  const options = { columns: ['c', 'a'], contextColumns: ['d'] };
  const complete = file('complete.csv', 'a,b,c,d\n1,2,3,4\n5,6,7,8\n');

  it('are found by the names of the training data, wherever they stand', async () => {
    const description = describeData(await readDataset(complete, options), options);
    const model = { features: 2, contextFeatures: 1, description };
    const moved = file('moved.csv', 'label,d,c,a\nx,40,30,10\ny,80,70,50\n');
    const found = await readDatasetFor(moved, model, {});
    expect([...found.rows.data]).toEqual([30, 10, 70, 50]);
    expect([...(found.context?.data ?? [])]).toEqual([40, 80]);
  });

  it('without names are taken as they stand when the width fits', async () => {
    const reading = { columns: ['c', 'a'] };
    const description = describeData(await readDataset(complete, reading), reading);
    const model = { features: 2, contextFeatures: 0, description };
    const bare = file('bare.csv', '30,10\n70,50\n');
    expect([...(await readDatasetFor(bare, model, {})).rows.data]).toEqual([30, 10, 70, 50]);
    const wide = file('wide.csv', '1,2,3\n4,5,6\n');
    await expect(readDatasetFor(wide, model, {})).rejects.toThrow(/expected 2 columns.*got 3/);
    const others = file('others.csv', 'u,v\n1,2\n3,4\n');
    await expect(readDatasetFor(others, model, {})).rejects.toThrow(/one of "u", "v", got c/);
  });

  it('without names are found at the places of the training data', async () => {
    const bare = file('bare4.csv', '1,2,3,4\n5,6,7,9\n');
    const reading = { columns: [3, 0], header: false };
    const description = describeData(await readDataset(bare, reading), reading);
    const model = { features: 2, contextFeatures: 0, description };
    expect([...(await readDatasetFor(bare, model, {})).rows.data]).toEqual([4, 1, 9, 5]);
  });

  it('of another width are refused with both widths', async () => {
    const model = { features: 5, contextFeatures: 0, description: {} };
    await expect(readDatasetFor(complete, model, {})).rejects.toThrow(
      /expected 5 columns, as the model has, got 4 \(a, b, c, d\)/,
    );
  });
});

describe('a split', () => {
  it('puts each row into one part, by the seed alone', async () => {
    const lines = Array.from({ length: 50 }, (_, row) => `${row},${row + 100},${2 * row}`);
    const path = file('fifty.csv', `${lines.join('\n')}\n`);
    const data = await readDataset(path, { columns: [0, 1], contextColumns: [2], header: false });
    const split = () => splitDataset(data, { validation: 0.2, test: 0.1 }, 3);
    const { train, validation, test } = split();
    const parts = [train, validation, test].map((part) => part?.rows.rows);
    expect(parts).toEqual([35, 10, 5]);
    const seen = [train, validation, test].flatMap((part) => {
      const { rows, context } = part as typeof train;
      return Array.from({ length: rows.rows }, (_, row) => {
        expect(rows.data[2 * row + 1]).toBe((rows.data[2 * row] as number) + 100);
        expect(context?.data[row]).toBe(2 * (rows.data[2 * row] as number));
        return rows.data[2 * row] as number;
      });
    });
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, row) => row));
    expect([...(split().test?.rows.data ?? [])]).toEqual([...(test?.rows.data ?? [])]);
    expect(() => splitDataset(data, { validation: 0.9, test: 0.09 }, 3)).toThrow(/at least 2 rows/);
  });
});
