// A WaveNet on speech, and a Parallel WaveNet distilled from it (van den Oord et al. 2016, 2017; Ping et al. 2018, ClariNet).
//
//     npm run build && node bench/reproduce/wavenet-speech.mjs [--data folder-of-wav] [--teacher-time 3600] [--student-time 3600]
//         [--likelihood normal|logistic] [--window 4000] [--hidden 64] [--layers 10] [--stacks 2] [--out runs/reproduce/wavenet-speech]
//
// Without --data the speech is made by espeak-ng: the text below, read by three voices, who are the global condition; the local
// one is a spectrum of 16 bands every 200 samples, so that what is drawn says what the held-out rows say. Sound is brought to
// half its rate. Runs that were stopped go on: the same command again. Writes teacher and student, report.json with nats a
// sample and speeds, and original.wav, teacher.wav, student.wav.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import flow from '../../dist/index.js';

const { values: options } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string', default: join('runs', 'reproduce', 'wavenet-speech') },
    likelihood: { type: 'string', default: 'normal' },
    window: { type: 'string', default: '4000' },
    hidden: { type: 'string', default: '64' },
    layers: { type: 'string', default: '10' },
    stacks: { type: 'string', default: '2' },
    flows: { type: 'string', default: '1,1,1,2' },
    batch: { type: 'string', default: '4' },
    'teacher-time': { type: 'string', default: '3600' },
    'student-time': { type: 'string', default: '3600' },
    threads: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
  },
});
const number = (key) => Number(options[key]);
const [length, seed, batchSize] = [number('window'), number('seed'), number('batch')];
const [hop, frame, bands] = [200, 400, 16];
flow.setThreads(number('threads'));
mkdirSync(options.out, { recursive: true });

// Lewis Carroll, Alice's Adventures in Wonderland (1865), the beginning.
const text = `Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once or
twice she had peeped into the book her sister was reading, but it had no pictures or conversations in it, and what is the use of a
book, thought Alice, without pictures or conversations? So she was considering in her own mind, as well as she could, for the hot
day made her feel very sleepy and stupid, whether the pleasure of making a daisy-chain would be worth the trouble of getting up
and picking the daisies, when suddenly a White Rabbit with pink eyes ran close by her. There was nothing so very remarkable in
that; nor did Alice think it so very much out of the way to hear the Rabbit say to itself, Oh dear! Oh dear! I shall be late! But
when the Rabbit actually took a watch out of its waistcoat-pocket, and looked at it, and then hurried on, Alice started to her
feet, for it flashed across her mind that she had never before seen a rabbit with either a waistcoat-pocket, or a watch to take
out of it, and burning with curiosity, she ran across the field after it, and fortunately was just in time to see it pop down a
large rabbit-hole under the hedge. In another moment down went Alice after it, never once considering how in the world she was to
get out again. The rabbit-hole went straight on like a tunnel for some way, and then dipped suddenly down, so suddenly that Alice
had not a moment to think about stopping herself before she found herself falling down a very deep well.`;

/** The voices' readings, or the files of --data as one voice. */
async function readSpeech() {
  if (options.data) {
    const { sounds, rate } = await flow.readWavFolder(options.data);
    return { voices: [sounds], rate };
  }
  const folder = join(options.out, 'speech');
  mkdirSync(folder, { recursive: true });
  const names = ['en', 'en-us+f3', 'en-gb+m3'];
  const files = names.map((name) => join(folder, `${name}.wav`));
  for (const [k, name] of names.entries()) {
    if (existsSync(files[k])) continue;
    const made = spawnSync('espeak-ng', ['-v', name, '-s', '150', '-w', files[k], text]);
    if (made.status === 0) continue;
    rmSync(files[k], { force: true });
    console.error('espeak-ng is not there (apt-get install espeak-ng): pass --data with WAV files');
    process.exit(1);
  }
  const sounds = await Promise.all(files.map((file) => flow.readWav(file)));
  return { voices: sounds.map((sound) => [flow.toMono(sound)]), rate: sounds[0].rate };
}

/** Every second sample, behind a low-pass filter (a windowed sinc of 31 taps). */
function halved(sound) {
  const taps = Float64Array.from({ length: 31 }, (_, i) => {
    const t = i - 15;
    const sinc = t === 0 ? 1 : Math.sin((Math.PI * t) / 2) / ((Math.PI * t) / 2);
    return 0.5 * sinc * (0.5 + 0.5 * Math.cos((Math.PI * t) / 16));
  });
  return Float32Array.from({ length: sound.length >> 1 }, (_, n) => {
    let sum = 0;
    for (let i = 0; i < taps.length; i++) sum += taps[i] * (sound[2 * n + i - 15] ?? 0);
    return sum;
  });
}

/** log power of bands of rising width, a row a window: the local condition; then the voice. */
function contextOf(rows, voices) {
  const count = length / hop;
  const padded = new Float32Array(rows.rows * (length + frame - hop));
  for (let n = 0; n < rows.rows; n++) {
    padded.set(rows.data.subarray(n * length, (n + 1) * length), n * (length + frame - hop));
  }
  const power = flow.scope(() =>
    flow
      .stftPower(flow.tensor(padded, { shape: [rows.rows, length + frame - hop] }), {
        window: frame,
        hop,
      })
      .dataSync(),
  );
  const bins = frame / 2 + 1;
  const edge = (band) => Math.round(1 + (bins - 1) * (band / bands) ** 2);
  const classes = Math.max(...voices) + 1;
  const width = count * bands + (classes > 1 ? classes : 0);
  const context = new Float32Array(rows.rows * width);
  for (let n = 0; n < rows.rows; n++) {
    for (let f = 0; f < count; f++) {
      for (let band = 0; band < bands; band++) {
        const [first, end] = [edge(band), Math.max(edge(band) + 1, edge(band + 1))];
        let sum = 0;
        for (let k = first; k < end; k++) sum += power[(n * count + f) * bins + k];
        context[n * width + f * bands + band] = 0.25 * Math.log(sum / (end - first) + 1e-6);
      }
    }
    if (classes > 1) context[n * width + count * bands + voices[n]] = 1;
  }
  return { data: context, rows: rows.rows, cols: width, classes };
}

const speech = await readSpeech();
const rate = speech.rate >> 1;
const cut = speech.voices.map((sounds) => flow.soundRows(sounds.map(halved), length));
const voiceOf = cut.flatMap(({ rows }, voice) => Array.from({ length: rows }, () => voice));
const all = {
  data: Float32Array.from(cut.flatMap(({ data }) => Array.from(data))),
  rows: voiceOf.length,
  cols: length,
};
// A density of numbers that are steps of 16 bits has no bound where they stand still: noise within a step.
const dither = new flow.RandomStream(seed);
flow.scope(() => {
  const noise = dither.uniform([all.rows, length]).dataSync();
  all.data.forEach((x, i) => {
    all.data[i] = Math.max(-1, Math.min(1, x + (noise[i] - 0.5) / 32768));
  });
});
const context = contextOf(all, voiceOf);

/** Every tenth row is held out. */
function part(matrix, heldOut) {
  const of = Array.from({ length: matrix.rows }, (_, n) => n).filter(
    (n) => (n % 10 === 9) === heldOut,
  );
  const data = Float32Array.from(
    of.flatMap((n) => Array.from(matrix.data.subarray(n * matrix.cols, (n + 1) * matrix.cols))),
  );
  return { data, rows: of.length, cols: matrix.cols };
}
const [train, test] = [part(all, false), part(all, true)];
const [trainContext, testContext] = [part(context, false), part(context, true)];
const asLevels = (rows) => ({ ...rows, data: flow.linearEncode(rows.data) });
const mixture = options.likelihood === 'logistic';
const forTeacher = (rows) => (mixture ? asLevels(rows) : rows);
console.log(
  JSON.stringify({ rate, seconds: (all.rows * length) / rate, train: train.rows, test: test.rows }),
);

const sizes = { length, layers: number('layers'), hidden: number('hidden'), seed };
const conditioning = {
  local: { channels: bands, hop },
  ...(context.classes > 1 && { global: context.classes }),
};

async function learn(name, model, rows, time, more) {
  const checkpoint = join(options.out, `${name}-checkpoint.safetensors`);
  const { steps, epochs, stoppedBecause } = await flow.fit(model, rows, {
    context: trainContext,
    batchSize: Math.min(batchSize, rows.rows),
    epochs: 1e6,
    optimizer: flow.adam({ lr: 5e-4 }),
    schedule: flow.linearWarmup({ steps: 200 }, flow.constantRate()),
    clipNorm: 1,
    ema: 0.999,
    seed,
    timeLimitSeconds: time,
    checkpoint: { path: checkpoint, everySeconds: 60 },
    ...(existsSync(checkpoint) && { resume: checkpoint }),
    onEpoch: ({ epoch, trainLoss }) => console.log(JSON.stringify({ name, epoch, trainLoss })),
    ...more,
  });
  await model.save(join(options.out, `${name}.safetensors`));
  return { steps, epochs, stoppedBecause };
}

/** Nats a sample of the held-out rows. */
async function score(model, rows) {
  const { logProb, standardError } = await flow.evaluate(model, rows, { context: testContext });
  return { natsPerSample: logProb / length, standardError: standardError / length };
}

/** The fastest of three draws of one row, in samples a second. */
function speed(model) {
  const one = {
    data: testContext.data.subarray(0, testContext.cols),
    rows: 1,
    cols: testContext.cols,
  };
  let best = 0;
  for (let k = 0; k < 3; k++) {
    const start = performance.now();
    model.sample(1, { seed: k, context: one }).dispose();
    best = Math.max(best, (1000 * length) / (performance.now() - start));
  }
  return Math.round(best);
}

/** The held-out rows' conditions one after the other, as sound. */
async function speak(name, model) {
  const drawn = model.sample(test.rows, { seed, context: testContext, temperature: 0.9 });
  const values = drawn.dataSync();
  drawn.dispose();
  const samples = mixture && name === 'teacher' ? flow.linearDecode(values) : values;
  await flow.writeWav(join(options.out, `${name}.wav`), { samples, rate });
}

await flow.writeWav(join(options.out, 'original.wav'), { samples: test.data, rate });
const teacher = new flow.WaveNet({
  ...{ ...sizes, ...conditioning, stacks: number('stacks') },
  likelihood: { kind: mixture ? 'logistic' : 'normal' },
});
const student = new flow.ParallelWaveNet({
  ...{ ...sizes, ...conditioning, stacks: options.flows.split(',').map(Number) },
  base: mixture ? 'logistic' : 'normal',
});
const report = { options, rate, rows: all.rows };
report.teacher = {
  ...(await learn('teacher', teacher, forTeacher(train), number('teacher-time'), {
    // Nats a sample, as the student's.
    loss: (batch) => flow.affineScalar(flow.negativeLogLikelihood(batch), 1 / length),
  })),
  ...(await score(teacher, forTeacher(test))),
  samplesPerSecond: speed(teacher),
};
await speak('teacher', teacher);
report.student = {
  ...(await learn('student', student, train, number('student-time'), {
    loss: flow.distillation(teacher),
  })),
  ...(await score(student, test)),
  samplesPerSecond: speed(student),
};
await speak('student', student);
report.speedUp = report.student.samplesPerSecond / report.teacher.samplesPerSecond;
await writeFile(join(options.out, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
console.log(
  JSON.stringify({ teacher: report.teacher, student: report.student, speedUp: report.speedUp }),
);
