import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeFileAtomic } from '../../lib/io/atomic';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'atomic-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** The pid of a process that has ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ['-e', '0']).pid;
}

describe('writeFileAtomic', () => {
  it('writes text, bytes and pieces of both', async () => {
    const path = join(folder, 'a.txt');
    await writeFileAtomic(path, 'größe');
    expect(readFileSync(path, 'utf8')).toBe('größe');
    await writeFileAtomic(path, new Uint8Array([0, 255, 7]).subarray(1));
    expect([...readFileSync(path)]).toEqual([255, 7]);
    await writeFileAtomic(path, ['x,', Buffer.from('y\n')]);
    expect(readFileSync(path, 'utf8')).toBe('x,y\n');
    const pieces = async function* () {
      yield 'a';
      await new Promise((resolve) => setTimeout(resolve, 1));
      yield 'b';
    };
    await writeFileAtomic(path, pieces());
    expect(readFileSync(path, 'utf8')).toBe('ab');
    await writeFileAtomic(path, '');
    expect(statSync(path).size).toBe(0);
    expect(readdirSync(folder)).toEqual(['a.txt']);
  });

  it('keeps the old content, and no temporary file, where the content fails half way', async () => {
    const path = join(folder, 'model');
    writeFileSync(path, 'old');
    let during: string[] = [];
    const failing = async function* () {
      yield 'new but ';
      during = readdirSync(folder);
      throw new Error('out of ideas');
    };
    await expect(writeFileAtomic(path, failing())).rejects.toThrow('out of ideas');
    expect(during).toHaveLength(2);
    expect(during.some((name) => name.endsWith('.tmp'))).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['model']);
  });

  it('shows the old content until the new one is whole', async () => {
    const path = join(folder, 'model');
    writeFileSync(path, 'old');
    const seen: string[] = [];
    const pieces = async function* () {
      for (const piece of ['n', 'e', 'w']) {
        seen.push(readFileSync(path, 'utf8'));
        yield piece;
      }
    };
    await writeFileAtomic(path, pieces());
    expect(seen).toEqual(['old', 'old', 'old']);
    expect(readFileSync(path, 'utf8')).toBe('new');
  });

  it('keeps the permissions of an existing file', async () => {
    const path = join(folder, 'secret');
    writeFileSync(path, 'old');
    chmodSync(path, 0o640);
    const { mode } = statSync(path); // of which Windows keeps but one bit
    await writeFileAtomic(path, 'new');
    expect(statSync(path).mode).toBe(mode);
  });

  it('writes through a symbolic link', async () => {
    mkdirSync(join(folder, 'deep'));
    writeFileSync(join(folder, 'deep', 'real'), 'old');
    symlinkSync(join('deep', 'real'), join(folder, 'link'));
    await writeFileAtomic(join(folder, 'link'), 'new');
    expect(readFileSync(join(folder, 'deep', 'real'), 'utf8')).toBe('new');
    expect(readdirSync(folder).sort()).toEqual(['deep', 'link']);
    expect(readdirSync(join(folder, 'deep'))).toEqual(['real']);
  });

  it('gives a FlowError FILE that names the path', async () => {
    const missing = join(folder, 'no', 'such', 'folder');
    await expect(writeFileAtomic(missing, 'x')).rejects.toMatchObject({
      name: 'FlowError',
      code: 'FILE',
      message: `[writeFileAtomic] ${missing}: expected a path that can be written, got no such file or folder: check the path`,
    });
    mkdirSync(join(folder, 'sub'));
    await expect(writeFileAtomic(join(folder, 'sub'), 'x')).rejects.toMatchObject({ code: 'FILE' });
    writeFileSync(join(folder, 'plain'), 'x');
    await expect(writeFileAtomic(join(folder, 'plain', 'y'), 'x')).rejects.toMatchObject({
      code: 'FILE',
    });
    expect(readdirSync(folder).sort()).toEqual(['plain', 'sub']);
  });

  it('removes what a killed process left, and nothing else', async () => {
    const hour = Date.now() / 1000 - 3600;
    const names = {
      dead: `.model.${deadPid()}.0123456789ab.tmp`,
      alive: `.model.${process.pid}.0123456789ab.tmp`,
      other: `.models.${deadPid()}.0123456789ab.tmp`,
      foreign: '.model.notes.tmp',
      young: `.model.${deadPid()}.ba9876543210.tmp`,
    };
    for (const name of Object.values(names)) {
      writeFileSync(join(folder, name), 'x');
      if (name !== names.young) utimesSync(join(folder, name), hour, hour);
    }
    await writeFileAtomic(join(folder, 'model'), 'new');
    expect(existsSync(join(folder, names.dead))).toBe(false);
    for (const name of [names.alive, names.other, names.foreign, names.young]) {
      expect(existsSync(join(folder, name)), name).toBe(true);
    }
  });

  it('leaves a whole file whoever of many writers at once is last', async () => {
    const path = join(folder, 'model');
    const contents = Array.from({ length: 8 }, (_, i) => `${i}`.repeat(100_000));
    await Promise.all(contents.map((content) => writeFileAtomic(path, content)));
    expect(contents).toContain(readFileSync(path, 'utf8'));
    expect(readdirSync(folder)).toEqual(['model']);
  });
});
