import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGE_ROOT } from '../command';
import { isaSymbolViolations, objectsOf } from './isaSymbols';

// Linux only (see vitest.package.config.mts): GNU nm, and the objects where make puts them.
const { SETS, opNames } = require('../../scripts/sources.cjs') as {
  SETS: Record<string, string[]>;
  opNames(root: string): string[];
};

describe('objects of one instruction set share nothing with the others', () => {
  it.each(SETS[process.arch] ?? [])('%s', (set) => {
    const objects = objectsOf(join(PACKAGE_ROOT, 'build', 'Release', 'obj.target', `flow_${set}`));
    for (const op of [...opNames(PACKAGE_ROOT), 'table']) {
      expect(objects.some((object) => object.endsWith(`/native/ops/${op}.o`))).toBe(true);
    }
    expect(isaSymbolViolations(objects, set)).toEqual([]);
  });
});

describe('a planted object', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'flow-symbols-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function compile(text: string): string[] {
    writeFileSync(join(folder, 'planted.cc'), text);
    execFileSync(process.env.CXX ?? 'g++', ['-std=c++20', '-O1', '-c', 'planted.cc'], {
      cwd: folder,
    });
    return isaSymbolViolations([join(folder, 'planted.o')], 'avx2').map((line) =>
      line.slice(line.indexOf('planted.o') + 11),
    );
  }

  it('with an inline function of everybody is found', () => {
    const found = compile(`
      template <class T> __attribute__((noinline)) T twice(T x) { return x + x; }
      namespace flow::avx2 { extern double f(double x); double f(double x) { return twice(x); } }`);
    expect(found).toEqual(['W double twice<double>(double)']);
  });

  it('with a function that runs at load is found', () => {
    const found = compile(`
      double source();
      namespace flow::avx2 { extern double start; double start = source(); }`);
    expect(found).toEqual([expect.stringContaining('runs at load')]);
  });

  it('with its own names only is clean', () => {
    const found = compile(`
      double source();
      namespace flow::avx2 {
      template <class T> __attribute__((noinline)) T twice(T x) { return x + x; }
      extern double f(double x);
      double f(double x) { return twice(x) + source(); }
      }`);
    expect(found).toEqual([]);
  });
});
