"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
const node_child_process_1 = require("node:child_process");
const node_fs_1 = require("node:fs");
const node_os_1 = require("node:os");
const node_path_1 = require("node:path");
const vitest_1 = require("vitest");
const isaSymbols_1 = require("./isaSymbols");
// Linux only (see vitest.package.config.mts): GNU nm, and the objects where make puts them.
const root = (0, node_path_1.dirname)((0, node_path_1.dirname)(__dirname));
const { SETS, opNames } = require('../../scripts/sources.cjs');
(0, vitest_1.describe)('objects of one instruction set share nothing with the others', () => {
    vitest_1.it.each(SETS[process.arch] ?? [])('%s', (set) => {
        const objects = (0, isaSymbols_1.objectsOf)((0, node_path_1.join)(root, 'build', 'Release', 'obj.target', `flow_${set}`));
        for (const op of [...opNames(root), 'table']) {
            (0, vitest_1.expect)(objects.some((object) => object.endsWith(`/native/ops/${op}.o`))).toBe(true);
        }
        (0, vitest_1.expect)((0, isaSymbols_1.isaSymbolViolations)(objects, set)).toEqual([]);
    });
});
(0, vitest_1.describe)('a planted object', () => {
    let folder = '';
    (0, vitest_1.beforeAll)(() => {
        folder = (0, node_fs_1.mkdtempSync)((0, node_path_1.join)((0, node_os_1.tmpdir)(), 'flow-symbols-'));
    });
    (0, vitest_1.afterAll)(() => (0, node_fs_1.rmSync)(folder, { recursive: true }));
    function compile(text) {
        (0, node_fs_1.writeFileSync)((0, node_path_1.join)(folder, 'planted.cc'), text);
        (0, node_child_process_1.execFileSync)(process.env.CXX ?? 'g++', ['-std=c++20', '-O1', '-c', 'planted.cc'], {
            cwd: folder,
        });
        return (0, isaSymbols_1.isaSymbolViolations)([(0, node_path_1.join)(folder, 'planted.o')], 'avx2').map((line) => line.slice(line.indexOf('planted.o') + 11));
    }
    (0, vitest_1.it)('with an inline function of everybody is found', () => {
        const found = compile(`
      template <class T> __attribute__((noinline)) T twice(T x) { return x + x; }
      namespace flow::avx2 { extern double f(double x); double f(double x) { return twice(x); } }`);
        (0, vitest_1.expect)(found).toEqual(['W double twice<double>(double)']);
    });
    (0, vitest_1.it)('with a function that runs at load is found', () => {
        const found = compile(`
      double source();
      namespace flow::avx2 { extern double start; double start = source(); }`);
        (0, vitest_1.expect)(found).toEqual([vitest_1.expect.stringContaining('runs at load')]);
    });
    (0, vitest_1.it)('with its own names only is clean', () => {
        const found = compile(`
      double source();
      namespace flow::avx2 {
      template <class T> __attribute__((noinline)) T twice(T x) { return x + x; }
      extern double f(double x);
      double f(double x) { return twice(x) + source(); }
      }`);
        (0, vitest_1.expect)(found).toEqual([]);
    });
});
