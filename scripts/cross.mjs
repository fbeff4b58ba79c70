// The compilers of another architecture on Linux, as Debian and Ubuntu name them: apt-get install g++-aarch64-linux-gnu

const SYSTEMS = {
  arm64: { processor: 'aarch64', triple: 'aarch64-linux-gnu' },
  x64: { processor: 'x86_64', triple: 'x86_64-linux-gnu' },
};

/** What builds for `arch`; undefined where that is this machine's own. CC, CXX, AR and STRIP of the environment come first. */
export function crossTools(arch, env = process.env) {
  if (arch === undefined || arch === process.arch) return undefined;
  const system = SYSTEMS[arch];
  if (system === undefined || process.platform !== 'linux') {
    throw new Error(
      `[cross] --arch: expected arm64 or x64 on Linux, got ${arch} on ${process.platform}`,
    );
  }
  return {
    processor: system.processor,
    cc: env.CC ?? `${system.triple}-gcc`,
    cxx: env.CXX ?? `${system.triple}-g++`,
    ar: env.AR ?? `${system.triple}-ar`,
    strip: env.STRIP ?? `${system.triple}-strip`,
  };
}
