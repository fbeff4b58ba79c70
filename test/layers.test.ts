import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import * as library from '../lib';
import { PACKAGE_ROOT } from './command';
import { cppViolations, cudaViolations, typescriptViolations } from './layers';

const trees: string[] = [];

/** A throw-away tree with these files. */
function plant(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'flow-layers-'));
  trees.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

afterEach(() => {
  for (const root of trees.splice(0)) rmSync(root, { recursive: true });
});

describe('layers', () => {
  it('of lib/ are kept', () => {
    expect(typescriptViolations(PACKAGE_ROOT)).toEqual([]);
  });

  it('of native/ are kept', () => {
    expect(cppViolations(PACKAGE_ROOT)).toEqual([]);
  });

  it('of cuda/ are kept', () => {
    expect(cudaViolations(PACKAGE_ROOT)).toEqual([]);
  });
});

it('the public names hold none of the tables that say what options must be', () => {
  expect(Object.keys(library).length).toBeGreaterThan(200);
  expect(Object.keys(library).filter((name) => /Rules?$|^an?[A-Z]/.test(name))).toEqual([]);
});

describe('layers of a planted lib/', () => {
  const planted: [string, Record<string, string>, RegExp][] = [
    [
      'an upward import',
      { 'lib/tensor/tensor.ts': "import { linear } from '../nn/linear';", 'lib/nn/linear.ts': '' },
      /lib\/tensor\/tensor\.ts: tensor may not use nn/,
    ],
    [
      'an upward import of a type',
      { 'lib/ops/add.ts': "import type { Flow } from '../flows';", 'lib/flows/index.ts': '' },
      /ops may not use flows/,
    ],
    [
      'an upward re-export, dynamic import or require over several lines',
      {
        'lib/nn/a.ts': "export {\n  b,\n} from '../train/b';",
        'lib/nn/c.ts': "const t = await import('../cli/main');",
        'lib/nn/d.ts': "const t = require('../plot/svg');",
      },
      /nn\/a\.ts.*nn\/c\.ts.*nn\/d\.ts/s,
    ],
    ['a folder without a rank', { 'lib/misc/x.ts': '' }, /layer misc has no rank/],
    [
      'native code loaded twice',
      { 'lib/ops/x.ts': "import load = require('node-gyp-build');" },
      /only native may use node-gyp-build/,
    ],
    [
      'a circle inside of a rank',
      {
        'lib/data/x.ts': "import '../plot/y';",
        'lib/plot/y.ts': "import '../train/z';",
        'lib/train/z.ts': "import '../data/x';",
      },
      /circle/,
    ],
    ['an import of a test', { 'lib/ops/x.ts': "import '../../test/y';" }, /outside of lib/],
  ];
  it.each(planted)('shows %s', (_name, files, message) => {
    expect(typescriptViolations(plant(files)).join('\n')).toMatch(message);
  });

  it('are quiet about what is allowed', () => {
    const root = plant({
      'lib/errors.ts': '',
      'lib/index.ts': "export { x } from './train/z';",
      'lib/data/x.ts': "import '../errors';\n// import '../cli/main';",
      'lib/train/z.ts': "import '../data/x';\nimport { join } from 'node:path';",
      'lib/native.ts': "import load = require('node-gyp-build');",
    });
    expect(typescriptViolations(root)).toEqual([]);
  });
});

describe('layers of a planted native/', () => {
  const planted: [string, Record<string, string>, RegExp][] = [
    [
      'an upward include',
      { 'native/core/a.h': '#include "simd/vec.h"', 'native/simd/vec.h': '' },
      /core may not use simd/,
    ],
    ['napi.h outside of binding', { 'native/ops/a.cc': '#include <napi.h>' }, /only binding/],
    ['a CUDA header', { 'native/core/a.cc': '#include <cuda_runtime.h>' }, /CUDA/],
    [
      'the standard library in an instruction-set file',
      { 'native/ops/a.cc': '#include <algorithm>' },
      /ops\/a\.cc: includes <algorithm>: compiled once/,
    ],
    [
      'the standard library behind a header',
      {
        'native/ops/a.cc': '#include "core/op.h"',
        'native/core/op.h': '#include "core/text.h"',
        'native/core/text.h': '#include <string>',
      },
      /ops\/a\.cc: includes <string> by way of native\/core\/text\.h/,
    ],
    ['a folder without a rank', { 'native/misc/a.cc': '#include "core/b.h"' }, /misc has no rank/],
  ];
  it.each(planted)('shows %s', (_name, files, message) => {
    expect(cppViolations(plant(files)).join('\n')).toMatch(message);
  });

  it('are quiet about what is allowed', () => {
    const root = plant({
      'native/core/engine.cc': '#include <string>\n#include "core/op.h"',
      'native/core/op.h': '#include <stdint.h>',
      'native/simd/vec.h': '#include <immintrin.h>\n#include "isa.h"',
      'native/simd/isa.h': '',
      'native/ops/a.cc': '#include "simd/vec.h"\n#include "core/op.h"\n// #include <vector>',
      'native/binding/addon.cc': '#include <napi.h>\n#include "core/op.h"',
    });
    expect(cppViolations(root)).toEqual([]);
  });
});

describe('layers of a planted cuda/', () => {
  const planted: [string, Record<string, string>, RegExp][] = [
    [
      'an upward include',
      { 'cuda/core/a.h': '#include "cuda/ops/b.h"', 'cuda/ops/b.h': '' },
      /core may not use ops/,
    ],
    ['code of a CPU', { 'cuda/ops/a.cu': '#include "simd/vec.h"' }, /neither cuda\/ nor native/],
    [
      'a library that cannot be emulated',
      { 'cuda/ops/a.cu': '#include <cub/cub.cuh>' },
      /no place/,
    ],
    [
      'the standard library in a kernel',
      { 'cuda/ops/a.cu': '#include <vector>' },
      /not for kernels/,
    ],
    [
      'functions of nvcc in what it does not compile',
      {
        'cuda/core/a.cc': '#include "cuda/core/b.h"',
        'cuda/core/b.h': '#include "cuda/core/scalar.h"',
        'cuda/core/scalar.h': '',
      },
      /core\/a\.cc: cuda\/core\/scalar\.h is for nvcc/,
    ],
    ['inline PTX', { 'cuda/ops/a.cu': 'asm volatile("bar.sync 0;");' }, /inline PTX/],
  ];
  it.each(planted)('shows %s', (_name, files, message) => {
    expect(cudaViolations(plant(files)).join('\n')).toMatch(message);
  });

  it('are quiet about what is allowed', () => {
    const root = plant({
      'cuda/core/b.h': '#include <cuda_runtime.h>\n#include "core/op.h"\n#include "math/formula.h"',
      'cuda/core/c.cc': '#include <string>',
      'cuda/ops/a.cu': '#include "cuda/core/b.h"\n#include "math/philox.h"\n#include <math.h>',
    });
    expect(cudaViolations(root)).toEqual([]);
  });
});
