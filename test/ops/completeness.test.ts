import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { native } from '../../lib/native';
import { PACKAGE_ROOT } from '../command';
import { shares as bijectionShares } from '../cuda/bijectionShare';
import { shares as sharesOnGpu } from '../cuda/opShare';
import { contracts, testedApart } from './index';
import { shares } from './share';

const has = (path: string) => existsSync(join(PACKAGE_ROOT, path));

describe('every row of the registry', () => {
  const text = readFileSync(join(PACKAGE_ROOT, 'native/ops/registry.def'), 'utf8');
  const rows = [...text.matchAll(/^FLOW_OP\((\w+)\)/gm)].map((match) => match[1] as string);

  it('is in the addon, in this order', () => {
    expect([...native.ops]).toEqual(rows);
  });

  it.each(rows)('%s has its files and a contract', (name) => {
    const owner = contracts.find((contract) => contract.native.includes(name));
    const module = owner?.module ?? name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
    const apart = testedApart[name];
    const contract = owner ? `test/ops/${owner.module}.ts` : `test/ops/${apart ?? `${module}.ts`}`;
    const missing = [
      `native/ops/${name}.cc`,
      `cuda/ops/${name}.cu`,
      `lib/ops/${module}.ts`,
      contract,
    ].filter((path) => !has(path));
    if (!owner && apart === undefined) {
      missing.push(`${name} in the native rows of a contract that test/ops/index.ts lists`);
    }
    expect(missing).toEqual([]);
  });
});

describe('every contract', () => {
  it.each(contracts.map((contract) => [contract.module, contract] as const))(
    '%s names rows that exist and has cases',
    (_, contract) => {
      expect(contract.native.filter((name) => !native.ops.includes(name))).toEqual([]);
      expect(contract.cases.length).toBeGreaterThan(0);
      const names = contract.cases.map((test) => test.name);
      expect(new Set(names).size, 'case names differ').toBe(names.length);
    },
  );
});

it('every share of the contract has its file', () => {
  for (let share = 0; share < shares; share++) {
    const file = readFileSync(join(PACKAGE_ROOT, `test/ops/contract${share}.test.ts`), 'utf8');
    expect(file).toContain(`testShare(${share});`);
  }
  for (let share = 0; share < sharesOnGpu; share++) {
    const file = readFileSync(join(PACKAGE_ROOT, `test/cuda/ops${share}.test.ts`), 'utf8');
    expect(file).toContain(`testShareOnGpu(${share});`);
  }
  for (let share = 0; share < bijectionShares; share++) {
    const file = readFileSync(join(PACKAGE_ROOT, `test/cuda/bijections${share}.test.ts`), 'utf8');
    expect(file).toContain(`testBijectionsOnGpu(${share});`);
  }
});
