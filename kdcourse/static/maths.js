// The formulas behind the explorers. Each does what a function of the package does, and a test compares the two on the
// same inputs. Plain arrays in, plain arrays or numbers out; natural logarithms unless bits are named.

// ---- Soft labels: kdcourse.losses ----

const sum = (values) => values.reduce((total, value) => total + value, 0);

// log softmax(logits / T). Taken after the largest is subtracted, so that logits of 10,000 do no harm.
export function logSoftmax(logits, temperature = 1) {
  const top = Math.max(...logits);
  const shifted = logits.map((logit) => (logit - top) / temperature);
  const total = Math.log(sum(shifted.map(Math.exp)));
  return shifted.map((value) => value - total);
}

export function soften(logits, temperature = 1) {
  return logSoftmax(logits, temperature).map(Math.exp);
}

// In bits; what has probability 0 adds nothing.
export function entropyBits(probabilities) {
  return 0 - sum(probabilities.map((p) => (p > 0 ? p * Math.log2(p) : 0)));
}

// Both terms of the blended loss, as kdcourse.losses.blended_loss returns them, and the gradient of each with respect to
// the student's logits, with its weight. Without T² the soft term and its gradient are divided by T².
export function blendedLoss(studentLogits, teacherLogits, label, temperature, softWeight, squared = true) {
  const logP = logSoftmax(teacherLogits, temperature);
  const logQ = logSoftmax(studentLogits, temperature);
  const scale = squared ? temperature ** 2 : 1;
  const soft = scale * sum(logP.map((value, c) => (value > -Infinity ? Math.exp(value) * (value - logQ[c]) : 0)));
  const logQ1 = logSoftmax(studentLogits);
  const hard = -logQ1[label];
  return {
    soft,
    hard,
    total: softWeight * soft + (1 - softWeight) * hard,
    softGradient: logP.map((value, c) => ((softWeight * scale) / temperature) * (Math.exp(logQ[c]) - Math.exp(value))),
    hardGradient: logQ1.map((value, c) => (1 - softWeight) * (Math.exp(value) - (c === label ? 1 : 0))),
  };
}

// Indices, the largest value first; equal ones keep their order.
export function ranked(values) {
  return values.map((_, index) => index).sort((a, b) => values[b] - values[a]);
}

// The place of the value that is nearest; the first of two.
export function nearest(values, value) {
  const off = values.map((one) => Math.abs(one - value));
  return off.indexOf(Math.min(...off));
}

// ---- Forward and reverse KL: kdcourse.losses.jsd_loss ----

// The generalised Jensen-Shannon divergence of probabilities, nats: forward KL at beta = 0, reverse KL at 1.
export function jsd(teacher, student, beta) {
  if (beta === 0) return divergence(teacher, student);
  if (beta === 1) return divergence(student, teacher);
  const mixed = teacher.map((p, k) => beta * p + (1 - beta) * student[k]);
  return (beta * divergence(teacher, mixed) + (1 - beta) * divergence(student, mixed)) / (beta * (1 - beta));
}

function divergence(p, q) {
  return sum(p.map((share, k) => (share > 0 ? share * Math.log(share / q[k]) : 0)));
}

// Of a product's probabilities, cell by cell, in the order of joint.flat().
export function product(first, second) {
  return first.flatMap((share) => second.map((other) => share * other));
}

// Of all products first × second the one that is nearest to a joint distribution (a matrix, all cells > 0) by `jsd`:
// {first, second, value}. There may be a minimum at every cell, so a short descent starts beside each, and one between
// them; the best goes on to its end.
export function nearestProduct(joint, beta) {
  const rows = joint.map(sum);
  const columns = joint[0].map((_, j) => sum(joint.map((row) => row[j])));
  const beside = (size, chosen) => Array.from({ length: size }, (_, k) => (k === chosen ? 1 : 0.1 / size));
  const starts = joint.flatMap((row, i) => row.map((_, j) => [beside(rows.length, i), beside(row.length, j)]));
  const teacher = joint.flat();
  const short = [[rows, columns], ...starts].map((start) => descend(teacher, start, beta, 1e-3));
  const best = short.reduce((one, other) => (other.value < one.value ? other : one));
  return descend(teacher, [best.first, best.second], beta, 1e-13);
}

// Exponentiated gradient: a step multiplies each probability by exp(-step · gradient), and is halved until it descends.
// Ends where the last step gained less than `enough`.
function descend(teacher, start, beta, enough) {
  const at = (parts) => {
    const [first, second] = parts.map((part) => part.map((share) => share / sum(part)));
    const student = product(first, second);
    return { first, second, student, value: jsd(teacher, student, beta) };
  };
  let here = at(start);
  let step = 1;
  for (let round = 0; round < 400 && step > 1e-4; round += 1) {
    const { first, second, student } = here;
    const pulls = [first.map(() => 0), second.map(() => 0)]; // gradients, but for a constant
    student.forEach((q, k) => {
      const ratio = teacher[k] / q;
      const slope = beta === 0 ? -ratio : -Math.log1p(beta * (ratio - 1)) / beta;
      const [i, j] = [Math.floor(k / second.length), k % second.length];
      pulls[0][i] += second[j] * slope;
      pulls[1][j] += first[i] * slope;
    });
    const next = at([first, second].map((part, k) => part.map((share, c) => share * Math.exp(-step * pulls[k][c]))));
    const gained = here.value - next.value;
    if (gained > 0) [here, step] = [next, 2 * step];
    else step /= 2;
    if (gained >= 0 && gained < enough) break;
  }
  return here;
}

// ---- Money: kdcourse.ship ----

export function costPer1000(milliseconds, pricePerHour) {
  return (milliseconds * pricePerHour) / 3600;
}

// Requests; Infinity where the student saves nothing. Costs are per 1,000 requests.
export function breakEven(oneTimeCost, teacherCost, studentCost) {
  const saved = Math.max(teacherCost - studentCost, 0);
  return saved > 0 ? (1000 * oneTimeCost) / saved : Infinity;
}

// ---- Statistics: kdcourse.stats ----

// Holm's step-down adjustment of p-values, in their own order.
export function holm(pValues) {
  const order = ranked(pValues).reverse();
  const adjusted = Array(pValues.length);
  let largest = 0;
  order.forEach((index, rank) => {
    largest = Math.max(largest, Math.min(1, pValues[index] * (pValues.length - rank)));
    adjusted[index] = largest;
  });
  return adjusted;
}

// What a share in (0, 0.5) of a distribution lies above, by bisection; tail(x) is the share above x >= 0.
function above(share, tail) {
  let [low, high] = [0, 1];
  while (tail(high) > share) high *= 2;
  for (let round = 0; round < 60; round += 1) {
    const middle = (low + high) / 2;
    if (tail(middle) > share) low = middle;
    else high = middle;
  }
  return high;
}

export function normalAbove(share) {
  return above(share, normalTail);
}

export function studentAbove(share, degrees) {
  return above(share, (t) => studentTail(t, degrees));
}

// The share of the normal distribution above z >= 0: a continued fraction far out, a series near 0.
function normalTail(z) {
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (z > 3) {
    let fraction = z;
    for (let k = 60; k > 0; k -= 1) fraction = z + k / fraction;
    return density / fraction;
  }
  let term = z;
  let total = z;
  for (let k = 1; Math.abs(term) > 1e-17; k += 1) {
    term *= (z * z) / (2 * k + 1);
    total += term;
  }
  return 0.5 - density * total;
}

// The share of Student's t above t >= 0, for whole degrees of freedom: the finite sums of Abramowitz & Stegun 26.7.3-4.
function studentTail(t, degrees) {
  const theta = Math.atan(t / Math.sqrt(degrees));
  const cos2 = Math.cos(theta) ** 2;
  const odd = degrees % 2 === 1;
  let term = odd ? Math.cos(theta) : 1;
  let total = degrees === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k <= degrees - 2; k += 2) {
    term *= ((k - 1) / k) * cos2;
    total += term;
  }
  const inside = odd ? (2 / Math.PI) * (theta + Math.sin(theta) * total) : Math.sin(theta) * total;
  return (1 - inside) / 2;
}

// kdcourse.stats.compare, without its bootstrap, from the differences of the pairs: {mean, low, high, n, verdict}.
export function compare(differences) {
  const n = differences.length;
  const mean = sum(differences) / n;
  if (n < 2) return { mean, low: -Infinity, high: Infinity, n, verdict: "inconclusive" };
  const variance = sum(differences.map((value) => (value - mean) ** 2)) / (n - 1);
  const reach = studentAbove(0.025, n - 1) * Math.sqrt(variance / n);
  const [low, high] = [mean - reach, mean + reach];
  return { mean, low, high, n, verdict: low > 0 ? "better" : high < 0 ? "worse" : "inconclusive" };
}

// kdcourse.stats.paired.examples_needed.
export function examplesNeeded(onlyA, onlyB, n, margin, confidence = 0.95, power = 0.8) {
  const gap = (onlyA - onlyB) / n;
  const distance = Math.abs(gap - margin);
  if (distance < 1e-12) return Infinity;
  const expected = Math.sqrt(restrictedVariance(onlyA, onlyB, n, margin));
  const observed = Math.sqrt(Math.max(0, (onlyA + onlyB) / n - gap ** 2));
  const reach = normalAbove((1 - confidence) / 2) * expected + normalAbove(1 - power) * observed;
  return Math.max(1, Math.ceil((Math.max(0, reach) / distance) ** 2));
}

// Of one example's difference, where the gap is `gap`: its discordance by restricted maximum likelihood (Tango 1998).
function restrictedVariance(onlyA, onlyB, n, gap) {
  if (gap < 0) return restrictedVariance(onlyB, onlyA, n, -gap);
  const linear = (2 * n - onlyA + onlyB) * gap - onlyA - onlyB;
  const product = 2 * onlyB * gap * (1 - gap);
  const root = Math.sqrt(linear ** 2 + 4 * n * product);
  const shareB = linear > 0 ? product / (linear + root) : (root - linear) / (4 * n); // the form that does not cancel
  return 2 * shareB + gap * (1 - gap);
}

// ---- Numbers for people ----

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const THREE_DIGITS = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });

// Of a number >= 0: three significant digits, no exponent, commas between thousands.
export function plain(number) {
  if (number < 1e-9) return "0";
  return (number >= 999.5 ? WHOLE : THREE_DIGITS).format(number);
}

export function thousands(number) {
  return WHOLE.format(number);
}

export function inPercent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

// With so many decimals; no minus before what is rounded to zero.
export function fixed(number, decimals, plus = "") {
  const text = Math.abs(number).toFixed(decimals);
  return `${number < 0 && Number(text) > 0 ? "−" : plus}${text}`;
}

// The same with its sign.
export function signed(number, decimals) {
  return fixed(number, decimals, "+");
}
