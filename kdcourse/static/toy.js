// The toy problem of the step-through explorer, generated and trained in the browser; a test holds it to torch. Typed
// arrays, so that one training step takes a fraction of a millisecond. A batch of points is a matrix, row after row.

export const TOY = {
  classes: 3,
  edge: 1.5, // the pictures show [-edge, edge] in both directions
  noise: 0.22,
  trainingPoints: 600,
  testPoints: 2000,
  mostTransfer: 200,
  teacher: { sizes: [2, 16, 16, 3], steps: 400, rate: 0.02, batch: 60 },
  student: { sizes: [2, 8, 3], steps: 300, rate: 0.05 },
};
const STREAMS = { training: 1, transfer: 2, test: 3, teacher: 4, student: 5 };

// ---- Data ----

// A function that gives the next number in [0, 1) of mulberry32, whose start follows from the seed and the stream's name.
export function generator(seed, stream) {
  let state = (Math.imul(seed + 1, 0x9e3779b1) + Math.imul(STREAMS[stream], 0x85ebca6b)) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

// Two normal numbers from two of uniform ones (Box & Muller 1958).
function gaussians(first, second) {
  const radius = Math.sqrt(-2 * Math.log(1 - first));
  return [radius * Math.cos(2 * Math.PI * second), radius * Math.sin(2 * Math.PI * second)];
}

// The first n points of a stream: {n, inputs [n · 2], labels [n]}.
export function toyPoints(seed, stream, n) {
  const next = generator(seed, stream);
  const inputs = new Float64Array(2 * n);
  const labels = new Uint8Array(n);
  for (let k = 0; k < n; k += 1) {
    const label = Math.floor(TOY.classes * next());
    const along = next();
    const radius = 0.15 + 1.1 * along;
    const angle = (2 * Math.PI * label) / TOY.classes + 2.4 * along;
    const first = next();
    const [right, up] = gaussians(first, next());
    inputs[2 * k] = radius * Math.cos(angle) + TOY.noise * right;
    inputs[2 * k + 1] = radius * Math.sin(angle) + TOY.noise * up;
    labels[k] = label;
  }
  return { n, inputs, labels };
}

// ---- Networks ----

// A network of tanh layers before its training: a list of {before, after, weights [before · after], biases [after]}.
export function network(sizes, seed, stream) {
  const next = generator(seed, stream);
  return sizes.slice(1).map((after, k) => {
    const before = sizes[k];
    const weights = new Float64Array(before * after);
    for (let j = 0; j < weights.length; j += 1) {
      const first = next();
      weights[j] = gaussians(first, next())[0] / Math.sqrt(before);
    }
    return { before, after, weights, biases: new Float64Array(after) };
  });
}

export function countWeights(sizes) {
  return sizes.slice(1).reduce((total, after, k) => total + (sizes[k] + 1) * after, 0);
}

// Places for what goes into each layer of a network, and the logits last, for up to n points.
function blankOutputs(net, n) {
  return net.map(({ after }) => new Float64Array(n * after));
}

// Fill `values` with the outputs of each layer for the points from `from` on; the last ones are logits.
function forward(net, inputs, from, n, values) {
  let source = inputs;
  let offset = 2 * from;
  net.forEach(({ before, after, weights, biases }, layer) => {
    const out = values[layer];
    const last = layer === net.length - 1;
    for (let row = 0; row < n; row += 1) {
      const start = offset + row * before;
      for (let j = 0; j < after; j += 1) {
        let total = 0;
        for (let i = 0; i < before; i += 1) total += source[start + i] * weights[i * after + j];
        total += biases[j];
        out[row * after + j] = last ? total : Math.tanh(total);
      }
    }
    source = out;
    offset = 0;
  });
}

// The logits of all points, [n · classes].
export function toyLogits(net, inputs, n = inputs.length / 2) {
  const values = blankOutputs(net, n);
  forward(net, inputs, 0, n, values);
  return values.at(-1);
}

// The class with the largest of three scores, from `at` on.
export function decision(scores, at) {
  const [a, b, c] = [scores[at], scores[at + 1], scores[at + 2]];
  return a >= b && a >= c ? 0 : b >= c ? 1 : 2;
}

function accuracy(net, data) {
  const scores = toyLogits(net, data.inputs);
  let right = 0;
  for (let k = 0; k < data.n; k += 1) {
    if (decision(scores, 3 * k) === data.labels[k]) right += 1;
  }
  return right / data.n;
}

// Write softmax(scores / T) of a row of three into `out`, from `at` on in both.
export function softmaxRow(scores, at, temperature, out) {
  const top = Math.max(scores[at], scores[at + 1], scores[at + 2]);
  const a = Math.exp((scores[at] - top) / temperature);
  const b = Math.exp((scores[at + 1] - top) / temperature);
  const c = Math.exp((scores[at + 2] - top) / temperature);
  const total = a + b + c;
  out[at] = a / total;
  out[at + 1] = b / total;
  out[at + 2] = c / total;
}

// ---- Training ----

// A network and all that its training with Adam remembers. `advance` makes the next steps; however they are cut into
// pieces, the network after k of them is the same.
// plan: {steps, rate, batch}; targets: {softWeight, temperature, teacherLogits}, or nothing for labels alone.
function trainer(start, data, { steps, rate, batch = data.n }, targets = { softWeight: 0 }) {
  const net = start.map((layer) => ({ ...layer, weights: layer.weights.slice(), biases: layer.biases.slice() }));
  const parts = net.flatMap(({ weights, biases }) => [weights, biases]);
  const blank = () => parts.map((part) => new Float64Array(part.length));
  const [slopes, means, squares] = [blank(), blank(), blank()];
  const values = blankOutputs(net, batch);
  const upstreams = blankOutputs(net, batch);
  const one = new Float64Array(3 * batch);
  const { softWeight, temperature } = targets;
  const wanted = softWeight > 0 ? new Float64Array(3 * data.n) : null;
  if (wanted) for (let k = 0; k < data.n; k += 1) softmaxRow(targets.teacherLogits, 3 * k, temperature, wanted);

  // The gradient of the mean loss at the logits of the batch that begins with point `from`.
  const atLogits = (from) => {
    const scores = values.at(-1);
    const upstream = upstreams.at(-1);
    for (let row = 0; row < batch; row += 1) {
      softmaxRow(scores, 3 * row, 1, one);
      if (wanted) softmaxRow(scores, 3 * row, temperature, upstream);
      for (let c = 0; c < 3; c += 1) {
        const k = 3 * row + c;
        let slope = (1 - softWeight) * (one[k] - (data.labels[from + row] === c ? 1 : 0));
        if (wanted) slope += softWeight * temperature * (upstream[k] - wanted[3 * from + k]);
        upstream[k] = slope / batch;
      }
    }
  };
  const backward = (from) => {
    for (let layer = net.length - 1; layer >= 0; layer -= 1) {
      const { before, after, weights } = net[layer];
      const upstream = upstreams[layer];
      const source = layer ? values[layer - 1] : data.inputs;
      const offset = layer ? 0 : 2 * from;
      const [slope, bias] = [slopes[2 * layer].fill(0), slopes[2 * layer + 1].fill(0)];
      for (let row = 0; row < batch; row += 1) {
        const start = offset + row * before;
        for (let j = 0; j < after; j += 1) bias[j] += upstream[row * after + j];
        for (let i = 0; i < before; i += 1) {
          const value = source[start + i];
          for (let j = 0; j < after; j += 1) slope[i * after + j] += value * upstream[row * after + j];
          if (!layer) continue;
          let back = 0;
          for (let j = 0; j < after; j += 1) back += upstream[row * after + j] * weights[i * after + j];
          upstreams[layer - 1][row * before + i] = back * (1 - value * value);
        }
      }
    }
  };
  const adam = (step) => {
    const size = rate * (1 - step / steps); // falls in a straight line towards 0
    const [first, second] = [1 - 0.9 ** (step + 1), 1 - 0.999 ** (step + 1)];
    parts.forEach((part, p) => {
      const [slope, mean, square] = [slopes[p], means[p], squares[p]];
      for (let k = 0; k < part.length; k += 1) {
        mean[k] += 0.1 * (slope[k] - mean[k]);
        square[k] += 0.001 * (slope[k] * slope[k] - square[k]);
        part[k] -= (size * (mean[k] / first)) / (Math.sqrt(square[k] / second) + 1e-8);
      }
    });
  };

  const self = { start, net, step: 0, steps };
  self.done = () => self.step >= steps;
  self.advance = (howMany = 1) => {
    for (const end = Math.min(steps, self.step + howMany); self.step < end; self.step += 1) {
      const from = (self.step * batch) % data.n;
      forward(net, data.inputs, from, batch, values);
      atLogits(from);
      backward(from);
      adam(self.step);
    }
    return self;
  };
  return self;
}

// ---- The pipeline ----

export const TEACHER_STAGE = 2; // the first stage that shows a trained teacher,
export const STUDENTS_STAGE = 6; // and the first that shows trained students

// The pipeline for a seed and settings {temperature, softWeight, transferSize}, as far as it has come: nothing is trained
// before `pursue` or `advance` asks for it, and what settings do not touch stays trained when they change.
export function pipeline(seed, settings) {
  const training = toyPoints(seed, "training", TOY.trainingPoints);
  const pool = toyPoints(seed, "transfer", TOY.mostTransfer);
  const studentStart = network(TOY.student.sizes, seed, "student"); // the same for both: they are a pair
  const self = { seed, training, test: null, studentStart, transfer: null, teacher: null, students: null };
  let known = {}; // accuracies
  let soft = null; // what the distilled student was made for
  let before = {}; // trained students, from before the settings changed

  self.restartStudents = () => {
    before = {};
    self.students = null;
  };
  self.restart = () => {
    self.restartStudents();
    self.teacher = trainer(network(TOY.teacher.sizes, seed, "teacher"), training, TOY.teacher);
    known = {};
  };
  self.change = ({ temperature, softWeight, transferSize }) => {
    for (const [name, one] of Object.entries(self.students ?? {})) if (one.done()) before[name] = one;
    if (self.transfer?.n !== transferSize) {
      const [inputs, labels] = [pool.inputs.subarray(0, 2 * transferSize), pool.labels.subarray(0, transferSize)];
      self.transfer = { n: transferSize, inputs, labels };
      self.students = null;
    }
    if (soft?.temperature !== temperature || soft?.softWeight !== softWeight) {
      soft = { temperature, softWeight };
      if (self.students) self.students.distilled = distilled();
    }
  };
  const distilled = () => {
    const teacherLogits = toyLogits(self.teacher.net, self.transfer.inputs);
    return trainer(studentStart, self.transfer, TOY.student, { ...soft, teacherLogits });
  };
  // Make both students, untrained, as soon as there is a teacher.
  self.meet = () => {
    if (!self.teacher.done()) return null;
    self.students ??= { hard: trainer(studentStart, self.transfer, TOY.student), distilled: distilled() };
    return self.students;
  };
  // Both students as they can be shown: one that is being trained again, as it was before.
  self.visible = () => {
    const { hard, distilled: soft } = self.meet() ?? {};
    const show = (name, one) => (one?.done() ? one : before[name] ?? one);
    return hard && { hard: show("hard", hard), distilled: show("distilled", soft) };
  };
  // Does a stage show something that is not trained yet?
  self.behind = (stage) => {
    if (stage >= TEACHER_STAGE && !self.teacher.done()) return true;
    return stage >= STUDENTS_STAGE && !(self.students?.hard.done() && self.students.distilled.done());
  };
  // Train for up to `budget` milliseconds towards what a stage shows. True if that is reached.
  self.pursue = (stage, budget) => {
    const end = performance.now() + budget;
    while (self.behind(stage) && performance.now() < end) {
      if (!self.teacher.done()) self.teacher.advance(2);
      else Object.values(self.meet()).forEach((student) => student.advance(Math.ceil(200 / self.transfer.n)));
    }
    return !self.behind(stage);
  };
  // {teacher, hard, distilled}, as far as they are trained, on test points that nobody has learned from.
  self.accuracies = () => {
    self.test ??= toyPoints(seed, "test", TOY.testPoints);
    const found = {};
    for (const [name, one] of Object.entries({ teacher: self.teacher, ...self.students })) {
      if (!one.done()) continue;
      if (known[name]?.of !== one) known[name] = { of: one, accuracy: accuracy(one.net, self.test) };
      found[name] = known[name].accuracy;
    }
    return found;
  };
  self.restart();
  self.change(settings);
  return self;
}

// Of the distilled student over the student on labels, in points.
export function differenceInPoints({ hard, distilled }) {
  return 100 * (distilled - hard);
}
